package follow

// Pace is pace, for logs that are too long for a test.
var Pace = pace
