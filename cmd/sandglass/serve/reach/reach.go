// Package reach is by what people come to a resource of a daemon, and their wallets: its page, its Lightning
// address and its LNURL; and what wallets ask then, which it puts beside the API.
package reach

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/problem"
	"sandglass/adapters/httpapi/view"
	"sandglass/adapters/lnurl"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/billing"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/projections"
)

// Reach is how people reach a resource: its page, and what their wallets pay by.
type Reach struct {
	config  *config.Config
	service *lnurl.Service // nil where no public URL is known, to which wallets could come
}

// New returns it for a daemon. preimage tells the secret of an invoice that is settled; signer, what texts say of
// the log.
func New(
	c *config.Config, b *billing.Service, v *projections.Views, preimage func(context.Context, string) ([32]byte, error),
	signer *request.Signer,
) (*Reach, error) {
	r := &Reach{config: c}
	if c.PublicURL == "" {
		return r, nil
	}
	o := lnurl.Options{
		Billing: b, Preimage: preimage, PublicURL: c.PublicURL, Refused: refused, Log: signer.Said, Seal: signer.Seal,
		Ready: []<-chan struct{}{v.CaughtUp(), b.Requests.CaughtUp(), b.Swept},
	}
	if c.Pages {
		o.Page = r.page
	}
	var err error
	r.service, err = lnurl.New(o)
	return r, err
}

// refused says why a request is refused as the API says it, and notes it for the log.
func refused(ctx context.Context, err error) string {
	p := problem.Of(ctx, err)
	if r, ok := middleware.Asks(ctx); ok {
		r.Note(p)
	}
	return p.Detail
}

// Mounts returns what wallets ask.
func (r *Reach) Mounts() (mounts []httpapi.Mount) {
	if r.service == nil {
		return nil
	}
	for _, one := range r.service.Routes() {
		mounts = append(mounts, httpapi.Mount{Pattern: one.Pattern, Handler: one.Handler, Traits: middleware.Traits{
			Open: true, Write: one.Writes,
			Refuse: func(w http.ResponseWriter, p *problem.Problem) { lnurl.Refuse(w, p.Detail) },
		}})
	}
	return mounts
}

// Links shows them.
func (r *Reach) Links(id resource.ID) (l view.Links) {
	if r.config.Pages {
		l.Page = r.page(id)
	}
	if r.service != nil {
		to := r.service.Links(id)
		l.LNURL, l.LightningAddress = to.LNURL, to.Address
	}
	return l
}

func (r *Reach) page(id resource.ID) string {
	return strings.TrimRight(r.config.PublicURL, "/") + "/r/" + url.PathEscape(string(id))
}
