package lnurl

import (
	"net/netip"
	"net/url"
	"strings"

	"sandglass/domain/resource"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

// site is where wallets reach this daemon.
type site struct {
	base    string // of all links, with the path of a prefix, and no slash at the end
	name    string // the host, without a port
	secure  bool   // wallets ask by its scheme: https, or http of an onion service
	address bool   // <id>@<name> leads here
}

// siteOf reads the URL that clients reach. It must be one of a host.
func siteOf(public string) (site, bool) {
	u, err := url.Parse(public)
	if err != nil || u.Hostname() == "" {
		return site{}, false
	}
	s := site{base: strings.TrimRight(public, "/"), name: strings.ToLower(u.Hostname())}
	onion := strings.HasSuffix(s.name, ".onion")
	s.secure = u.Scheme == "https" || u.Scheme == "http" && onion
	_, err = netip.ParseAddr(s.name)
	s.address = s.secure && u.Port() == "" && err != nil && strings.Contains(s.name, ".")
	return s, true
}

// Links are by what wallets reach a resource. Each is empty where wallets would refuse it.
type Links struct {
	// LNURL is the text that LUD-01 has for it, in small letters: lnurl1dp68gurn8ghj7…
	LNURL string
	// Address is the Lightning address of LUD-16: web-1@pay.example.org
	Address string
}

// Links returns the links of a resource, whatever has become of it.
func (s *Service) Links(id resource.ID) (l Links) {
	if s.site.address {
		l.Address = s.site.addressOf(id)
	}
	if !s.site.secure {
		return l
	}
	l.LNURL, _ = bech32.EncodeFromBase256("lnurl", []byte(s.site.payURL(id))) // what is in small letters can be had
	return l
}

func (s *site) addressOf(id resource.ID) string { return string(id) + "@" + s.name }

// payURL is what an LNURL and an lnurlp: link of a resource lead to.
func (s *site) payURL(id resource.ID) string { return s.base + "/lnurlp/" + string(id) }

// callbackURL has no query: some wallets throw one away, others add a second one. shown is what [Service.shown] reads.
func (s *site) callbackURL(id resource.ID, shown string) string {
	return strings.TrimSuffix(s.payURL(id)+"/callback/"+shown, "/")
}

func (s *site) verifyURL(id resource.ID, hash string) string { return s.payURL(id) + "/verify/" + hash }
