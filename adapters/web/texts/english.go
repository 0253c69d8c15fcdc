package texts

var english = table{
	"skip":           "Skip to the content",
	"footer.prepaid": "Prepaid over Bitcoin and Lightning: no account, no subscription.",

	"imprint.title": "Imprint",
	"terms.title":   "Terms",

	"unit.d": "d", "unit.h": "h", "unit.min": "min", "unit.s": "s", "unit.decimal": ".",

	"date":   "{1} {2} {3}, {4} UTC",
	"date.1": "January", "date.2": "February", "date.3": "March", "date.4": "April", "date.5": "May", "date.6": "June",
	"date.7": "July", "date.8": "August", "date.9": "September", "date.10": "October", "date.11": "November", "date.12": "December",

	"time.d.one": "{1} day", "time.d.many": "{1} days", "time.h.one": "{1} hour", "time.h.many": "{1} hours",
	"time.min.one": "{1} minute", "time.min.many": "{1} minutes", "time.s.one": "{1} second", "time.s.many": "{1} seconds",
	"time.and": "{1} and {2}",

	"shop.title":    "What you can rent",
	"shop.lead":     "Choose, pay by Lightning, and it starts. When the time is used up it stops: nothing is charged by itself.",
	"shop.empty":    "Nothing is on offer just now.",
	"shop.per_hour": "an hour",
	"shop.day":      "A day",
	"shop.month":    "30 days",
	"shop.free":     "Free now",
	"shop.sold_out": "Sold out just now.",
	"shop.order":    "Order",

	"status.awaiting":  "Waiting for payment",
	"status.starting":  "Paid, and starting",
	"status.running":   "Running",
	"status.paused":    "Paused",
	"status.suspended": "Stopped: the time is used up",
	"status.released":  "Ended for good",

	"calendar.ends":         "{1}: the time that is paid ends",
	"calendar.ends.text":    "Who tops up before that keeps it running.",
	"calendar.release":      "{1} is deleted unless it is topped up",
	"calendar.release.text": "Its time is used up. Who tops up before that has it run again.",
	"calendar.other":        "{1}: {2}",

	"life.opened":     "Ordered: {1}",
	"life.credited":   "Paid: {1} for {2}",
	"life.granted":    "A present: {1}",
	"life.returned":   "Given back after an outage: {1}",
	"life.reversed":   "A payment of {1} was taken back by the network",
	"life.starting":   "Starting",
	"life.started":    "Running: its time passes",
	"life.stopped":    "Down: its time stands still",
	"life.paused":     "Paused: its time stands still",
	"life.warned":     "Little time is left",
	"life.recovered":  "There is enough time again",
	"life.exhausted":  "Stopped: the time is used up",
	"life.repriced":   "Another price for what is paid from now on: {1} an hour",
	"life.placed":     "Placed on the host {1}",
	"life.configured": "Its settings were changed",
	"life.released":   "Ended for good",

	"problem.home":             "To the shop",
	"problem.request":          "Should it not go away, tell the operator the number of this request:",
	"problem.title.not_found":  "There is nothing here",
	"problem.title.forbidden":  "Not possible",
	"problem.title.later":      "One moment, please",
	"problem.title.other":      "That did not work",
	"problem.unknown_resource": "There is nothing by this name. Check the address: it has to be whole.",
	"problem.internal_error":   "Something went wrong here. Please try again.",
	"problem.other_site": "The form was sent by the page of another site, so nothing was done. " +
		"Open this page itself, and try there.",
}
