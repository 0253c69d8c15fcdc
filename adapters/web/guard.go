package web

import (
	"net/http"
	"net/url"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
)

// policy lets a page load what is its own, and nobody frame it. Its scripts and styles are files.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard sets what every page has: the address of a page is a capability, which no other site is to learn.
func guard(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

var errForeign = &client.Problem{Problem: wire.Problem{
	Status: http.StatusForbidden, Code: "other_site", Detail: "the form was sent by the page of another site",
}}

// sameSite reports whether a form comes from a page of ours, or from no page. There is no cookie that another
// site could make use of; this is for what the visitor's browser alone can reach. Our own pages name no origin
// where a browser says no more than that, since they send no referrer.
func (s *Site) sameSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" || origin == s.origin {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}
