package instant

// Gap is a time in which nobody could have been credited: the daemon was dead, or its clock
// was set ahead. Grace does not run in it, so that for as long as it was nothing is released
// after it. The zero Gap is none.
type Gap struct {
	End    Time
	Length Millis // not negative
}

// Holds reports whether at now a gap still holds off the release of what has so much grace:
// until the grace, or the length of the gap if that is shorter, has gone by since its end.
func (g Gap) Holds(now Time, grace Millis) bool {
	return now < g.End.Add(min(g.Length, grace))
}

// Then returns g followed by another gap: what g still holds off when that begins, it holds
// off after that.
func (g Gap) Then(begin, end Time) Gap {
	if end <= begin {
		return g
	}
	rest := max(0, g.End.Add(g.Length).Sub(begin))
	return Gap{End: end, Length: end.Sub(begin) + rest}
}
