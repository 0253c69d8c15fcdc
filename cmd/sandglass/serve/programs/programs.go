// Package programs puts beside the API of a daemon what sells to programs in the request, and guards what is behind
// a proxy.
package programs

import (
	"context"
	"net/http"

	"sandglass/adapters/cashu"
	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/l402"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/request"
)

// Programs are what sells to programs.
type Programs struct{ till *cashu.Till }

// Mount adds it to the options of an API, which answers once its server runs. Secret is what credentials follow
// from: the same on all hosts of one log.
func Mount(to *httpapi.Options, api http.Handler, secret [32]byte, c *config.Config, requests *request.Set) *Programs {
	p, o := &Programs{}, l402.Options{
		API:       api,
		Billing:   to.Billing,
		Secret:    secret,
		PublicURL: to.PublicURL,
		ClientOf:  func(r *http.Request) string { return clientOf(to.TrustProxy, r) },
		Folded:    to.Views.CaughtUp,
		Now:       to.Now,
	}
	if mints := c.Mints(); len(mints) > 0 {
		p.till = cashu.New(cashu.Options{
			Mints: mints, Private: c.CashuPrivate, Requests: requests, Payment: to.Billing.Payment, Now: to.Now,
		})
		o.Cash = p.till
	}
	s := l402.New(o)
	to.Credential = s.HolderKey
	to.Mounts = append(to.Mounts,
		// What they ask of the API is limited; what is paid is not.
		httpapi.Mount{
			Pattern: "POST /v1/buy", Handler: http.HandlerFunc(s.Buy), Describe: describeBuy,
			Traits: middleware.Traits{Free: true, Open: true},
		},
		httpapi.Mount{
			Pattern: "GET /v1/auth", Handler: http.HandlerFunc(s.Gate), Describe: describeGate, Traits: middleware.Traits{Free: true},
		},
	)
	return p
}

// Run runs what is asked of mints until ctx ends, and waits for that.
func (p *Programs) Run(ctx context.Context) error {
	if p.till == nil {
		return nil
	}
	return p.till.Run(ctx)
}

// clientOf names who asks. What does not know the clients behind its proxy tells none of them from another.
func clientOf(trustProxy bool, r *http.Request) string {
	if !trustProxy {
		return ""
	}
	return middleware.RequestOf(r.Context()).Addr.String()
}
