// Package pages puts the pages for people beside the API of a daemon, of which they are clients.
package pages

import (
	"net/http"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/web"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/instant"
)

// Mounts returns the pages. api answers once the server runs, which is made with them.
func Mounts(c *config.Config, api http.Handler, version string, now func() instant.Time) ([]httpapi.Mount, error) {
	if !c.Pages {
		return nil, nil
	}
	site, err := web.New(web.Options{API: api, Now: now, PublicURL: c.PublicURL, Version: version})
	if err != nil {
		return nil, err
	}
	var mounts []httpapi.Mount
	for _, r := range site.Routes() {
		mounts = append(mounts, httpapi.Mount{
			Pattern: r.Pattern, Handler: r.Handler,
			Traits: middleware.Traits{Free: true}, // the calls that they make are not
		})
	}
	return mounts, nil
}
