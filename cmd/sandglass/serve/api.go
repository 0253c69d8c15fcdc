package serve

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/admission"
	"sandglass/cmd/sandglass/buildinfo"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/serve/pages"
	"sandglass/cmd/sandglass/serve/programs"
	"sandglass/cmd/sandglass/serve/reach"
)

// newAPI returns the HTTP server. It serves the metrics too, for which it needs all that
// they are read of: it is built last.
func (d *components) newAPI() (*httpapi.Server, error) {
	operator, err := token("OPERATOR_TOKEN_FILE", d.OperatorTokenFile)
	if err != nil {
		return nil, err
	}
	auditor, err := token("AUDITOR_TOKEN_FILE", d.AuditorTokenFile)
	if err != nil {
		return nil, err
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.api.Handler().ServeHTTP(w, r) })
	mounts, err := pages.Mounts(&d.Config, api, d.clock.Now)
	if err != nil {
		return nil, err
	}
	to, err := reach.New(&d.Config, d.billing, d.views, d.lnd.Preimage, &d.signer)
	if err != nil {
		return nil, err
	}
	options := httpapi.Options{
		Billing:    d.billing,
		Views:      d.views,
		Store:      d.store,
		Components: d.health,
		Operator:   operator,
		Auditor:    auditor,
		TrustProxy: d.TrustProxy,
		PublicURL:  strings.TrimRight(d.PublicURL, "/"),
		Limits:     httpapi.Limits{Live: d.MaxLive, LivePer: d.MaxLivePer, Unpaid: d.unpaid()},
		Mounts:     slices.Concat(mounts, to.Mounts(), d.proving.Mounts()),
		Signer:     d.proving.Signer,
		Receipts:   d.proving.Receipts(),
		Links:      to.Links,
		Version:    buildinfo.Read().Version,
		Now:        d.clock.Now,
		Log:        d.log,
		Registry:   newRegistry(d),
		Tip:        d.chain.Tip,
		Required:   d.billing.Required,
		Found:      d.enforcing.Found,
		Access:     d.enforcing.Access,
	}
	d.programs = programs.Mount(&options, api, d.signer.Key, &d.Config, d.requests)
	return httpapi.New(options)
}

// unpaid returns the rates by which the bounds of what is open are not met: whoever comes later
// has a chance, too.
func (d *components) unpaid() (l admission.Limits) {
	l.Orders.All = admission.Within(d.MaxAwaiting, d.InvoiceExpiry)
	l.TopUps.All = admission.Within(d.MaxOpenInvoices, d.InvoiceExpiry)
	l.Addresses.All = admission.Within(d.MaxAddresses, 24*time.Hour)
	return l
}

// token reads a bearer token from a file, and keeps its hash alone.
func token(name, path string) (httpapi.TokenHash, error) {
	const least = 20
	if path == "" {
		return httpapi.TokenHash{}, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return httpapi.TokenHash{}, fmt.Errorf("%s_%s: %w", config.Prefix, name, err)
	}
	text := strings.TrimSpace(string(b))
	if len(text) < least {
		return httpapi.TokenHash{}, fmt.Errorf("%s_%s: %s holds %d characters: want a random token of %d or more",
			config.Prefix, name, path, len(text), least)
	}
	return httpapi.HashToken(text), nil
}
