package serve

import (
	"fmt"
	"os"
	"strings"

	"sandglass/adapters/httpapi"
	"sandglass/cmd/sandglass/buildinfo"
	"sandglass/cmd/sandglass/config"
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
	options := httpapi.Options{
		Billing:    d.billing,
		Views:      d.views,
		Store:      d.store,
		Components: d.health,
		Operator:   operator,
		Auditor:    auditor,
		TrustProxy: d.TrustProxy,
		PublicURL:  strings.TrimRight(d.PublicURL, "/"),
		Limits:     httpapi.Limits{Live: d.MaxLive, LivePer: d.MaxLivePer},
		Version:    buildinfo.Read().Version,
		Now:        d.clock.Now,
		Log:        d.log,
		Registry:   newRegistry(d),
		Tip:        d.chain.Tip,
		Required:   d.billing.Required,
	}
	return httpapi.New(options)
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
