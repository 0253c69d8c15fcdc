package mint

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// CheckURL returns why a text is no mint's URL as tokens name it: whole, in small letters, without what could
// be written in another way. Private ones may be of http.
func CheckURL(text string, private bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Hostname() == "", u.User != nil, u.RawQuery != "", u.Fragment != "", u.ForceQuery, u.Opaque != "":
		return fmt.Errorf("%q is no URL of a mint: want one such as https://mint.example.org", text)
	case u.Scheme != "https" && (u.Scheme != "http" || !private):
		return fmt.Errorf("%q: want https, since a token could be read and spent on the way", text)
	case u.String() != text, strings.HasSuffix(text, "/"), u.Host != strings.ToLower(u.Host), strings.HasSuffix(u.Hostname(), "."),
		u.Path != "" && strings.Contains(u.Path, "//"):
		return fmt.Errorf("%q: want it as tokens have it, the host in small letters and no slash or point at the end", text)
	}
	return nil
}

// special are what can be reached of a machine's own networks, or through others' gateways, besides what netip
// knows by name.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48",
	"100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// isPublic reports whether an address is one of the public internet.
func isPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// onlyPublic is a [net.Dialer]'s Control. It sees the address that is dialed, whatever a name says a moment later.
func onlyPublic(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(a.Addr()) {
		return fmt.Errorf("mint: %s is not a public address", address)
	}
	return nil
}
