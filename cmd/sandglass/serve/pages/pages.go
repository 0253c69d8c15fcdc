// Package pages puts the pages for people beside the API of a daemon, of which they are clients.
package pages

import (
	"fmt"
	"net/http"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/web"
	"sandglass/adapters/web/brand"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/instant"
)

// Mounts returns the pages. api answers once the server runs, which is made with them.
func Mounts(c *config.Config, api http.Handler, now func() instant.Time) ([]httpapi.Mount, error) {
	if !c.Pages {
		return nil, nil
	}
	shop, err := shopOf(c)
	if err != nil {
		return nil, err
	}
	site, err := web.New(web.Options{API: api, Now: now, PublicURL: c.PublicURL, Brand: shop, Chain: c.OnChain})
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

// shopOf reads what the operator gives the pages. An error names its setting.
func shopOf(c *config.Config) (b brand.Brand, err error) {
	b.Name = c.ShopName
	if c.ShopColor != "" {
		accent, err := brand.ParseColor(c.ShopColor)
		if err != nil {
			return b, fmt.Errorf("%s_SHOP_COLOR: %w", config.Prefix, err)
		}
		b.Accent = &accent
	}
	if b.Logo, err = brand.ReadLogo(c.ShopLogo); err != nil {
		return b, fmt.Errorf("%s_SHOP_LOGO: %w", config.Prefix, err)
	}
	if b.Imprint, err = brand.ReadText(c.ShopImprint); err != nil {
		return b, fmt.Errorf("%s_SHOP_IMPRINT: %w", config.Prefix, err)
	}
	if b.Terms, err = brand.ReadText(c.ShopTerms); err != nil {
		return b, fmt.Errorf("%s_SHOP_TERMS: %w", config.Prefix, err)
	}
	return b, nil
}
