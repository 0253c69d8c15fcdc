package l402

import (
	"net/http"
	"strings"
)

// What a credential can be narrowed to, by the caveat ID_capabilities, with commas between.
const (
	toSee     = "status"  // what is shown of its resource
	toUse     = "use"     // what a proxy guards by GET /v1/auth
	toTopUp   = "topup"   // an invoice or an address of its resource
	toPause   = "pause"   // and resume
	toRelease = "release" // for good
	toSet     = "params"  // and delete them
	toReach   = "access"  // how its resource is reached
)

// capabilityOf returns what a credential is used for by a call of the API.
func capabilityOf(r *http.Request) string {
	_, call, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/resources/"), "/")
	switch call {
	case "pause", "resume":
		return toPause
	case "release":
		return toRelease
	case "params":
		return toSet
	case "access":
		return toReach
	case "payments", "address":
		return toTopUp
	}
	return toSee
}
