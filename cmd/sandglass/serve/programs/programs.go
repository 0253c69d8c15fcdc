// Package programs puts beside the API of a daemon what sells to programs in the request, and guards what is behind
// a proxy.
package programs

import (
	"net/http"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/l402"
)

// Mount adds it to the options of an API, which answers once its server runs. Secret is what credentials follow
// from: the same on all hosts of one log.
func Mount(to *httpapi.Options, api http.Handler, secret [32]byte) {
	s := l402.New(l402.Options{
		API:       api,
		Billing:   to.Billing,
		Secret:    secret,
		PublicURL: to.PublicURL,
		ClientOf:  func(r *http.Request) string { return clientOf(to.TrustProxy, r) },
		Folded:    to.Views.CaughtUp,
		Now:       to.Now,
	})
	to.Credential = s.HolderKey
	to.Mounts = append(to.Mounts,
		// What they ask of the API is limited; what is paid is not.
		httpapi.Mount{Pattern: "POST /v1/buy", Handler: http.HandlerFunc(s.Buy), Traits: middleware.Traits{Free: true, Open: true}},
		httpapi.Mount{Pattern: "GET /v1/auth", Handler: http.HandlerFunc(s.Gate), Traits: middleware.Traits{Free: true}},
	)
}

// clientOf names who asks. What does not know the clients behind its proxy tells none of them from another.
func clientOf(trustProxy bool, r *http.Request) string {
	if !trustProxy {
		return ""
	}
	return middleware.RequestOf(r.Context()).Addr.String()
}
