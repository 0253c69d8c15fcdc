package texts

var english = table{
	"skip":           "Skip to the content",
	"footer.prepaid": "Prepaid over Bitcoin and Lightning: no account, no subscription.",

	"imprint.title": "Imprint",
	"terms.title":   "Terms",

	"unit.d": "d", "unit.h": "h", "unit.min": "min", "unit.s": "s", "unit.decimal": ".",

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
