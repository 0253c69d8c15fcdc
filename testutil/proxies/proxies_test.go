package proxies_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/daemon"
	"sandglass/testutil/fakelnd"
	"sandglass/testutil/proxies"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/lightningnetwork/lnd/zpay32"
	"golang.org/x/sync/errgroup"
)

// shop is a daemon that is reached at a public URL, over an lnd of the tests.
type shop struct {
	*daemon.Daemon
	node   *fakelnd.Lnd
	public string
}

func open(t *testing.T, public string, env ...string) *shop {
	t.Helper()
	node, err := fakelnd.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Kill)
	s := &shop{daemon.New(t, append(env, "SANDGLASS_PUBLIC_URL="+public, "SANDGLASS_STORE=sqlite:sandglass.db",
		"SANDGLASS_LND_ADDR="+node.Addr, "SANDGLASS_LND_TLS_CERT="+node.TLSCert,
		"SANDGLASS_LND_WATCH_MACAROON="+node.WatchMacaroon, "SANDGLASS_LND_ISSUE_MACAROON="+node.IssueMacaroon)...), node, public}
	s.Start()
	s.WaitReady(t.Context())
	_, err = s.Client().Publish(t.Context(), wire.PublishRequest{
		Name: "small", Price: wire.Price{Msat: 1, Per: 1}, Min: instant.Minute, Max: instant.Day, Grace: instant.Day,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// behind is the shop as somebody reaches it, past whatever stands before it.
type behind struct {
	*shop
	t    *testing.T
	http *http.Client
}

// get returns an answer of 200.
func (b *behind) get(url string) []byte {
	b.t.Helper()
	ctx, cancel := daemon.Step(b.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html, */*;q=0.1")
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		b.t.Fatalf("%s: %d %v %.300s", url, res.StatusCode, err, body)
	}
	return body
}

func (b *behind) read(url string, v any) {
	b.t.Helper()
	if body := b.get(url); json.Unmarshal(body, v) != nil {
		b.t.Fatalf("%s: %s", url, body)
	}
}

// client asks the API at the public URL.
func (b *behind) client() *client.Client {
	b.t.Helper()
	c, err := client.New(b.public, "")
	if err != nil {
		b.t.Fatal(err)
	}
	return c.Over(b.http)
}

// buys orders at the public URL, pays by the Lightning address while it looks on, and looks at the page.
func (b *behind) buys(id string) {
	b.t.Helper()
	ctx, cancel := daemon.Step(b.t.Context())
	defer cancel()
	o, err := b.client().Order(ctx, wire.OrderRequest{Plan: "small", Time: instant.Hour, ID: id}, "")
	if err != nil {
		b.t.Fatal(err)
	}
	name, host, _ := strings.Cut(o.Resource.LightningAddress, "@")
	at, _ := url.Parse(b.public)
	if name != id || host != at.Host || o.Resource.Page != b.public+"/r/"+id {
		b.t.Errorf("its links are %q, %q", o.Resource.LightningAddress, o.Resource.Page)
	}
	paid := false
	for r, err := range b.client().Live(ctx, id) { // what is held back by a proxy never comes
		switch {
		case err != nil:
			b.t.Fatalf("the stream ended: %v", err)
		case !paid:
			paid = true
			b.pays(at.Scheme+"://"+host+"/.well-known/lnurlp/"+name, 90_000)
			continue
		case r.Status != "running":
			continue
		case r.Credited != 90_000:
			b.t.Errorf("paid it is %+v", r)
		}
		break
	}
	b.looks(o.Resource.Page)
}

// pays goes the way of a wallet.
func (b *behind) pays(address string, msat int64) {
	b.t.Helper()
	var first struct{ Callback, Metadata string }
	b.read(address, &first)
	if !strings.HasPrefix(first.Callback, b.public+"/lnurlp/") {
		b.t.Errorf("the callback is %s", first.Callback)
	}
	var second struct{ PR, Verify string }
	b.read(fmt.Sprintf("%s?amount=%d", first.Callback, msat), &second)
	inv, err := zpay32.Decode(second.PR, &chaincfg.RegressionNetParams)
	if err != nil || *inv.DescriptionHash != sha256.Sum256([]byte(first.Metadata)) {
		b.t.Fatalf("the invoice is %+v, %v", inv, err)
	}
	if err := b.node.Pay(hex.EncodeToString(inv.PaymentHash[:]), msat); err != nil {
		b.t.Fatal(err)
	}
	b.Until(b.t.Context(), "the payment is proven", func() error {
		var proof struct {
			Settled  bool
			Preimage string
		}
		if b.read(second.Verify, &proof); !proof.Settled || len(proof.Preimage) != 64 {
			return fmt.Errorf("it is %+v", proof)
		}
		return nil
	})
}

var links = regexp.MustCompile(`(?:src|href|action)="([^"#?]+)`)

// looks takes a page, and all that is loaded with it.
func (b *behind) looks(page string) {
	b.t.Helper()
	at, _ := url.Parse(page)
	prefix, _ := url.Parse(b.public)
	assets := 0
	for _, found := range links.FindAllSubmatch(b.get(page), -1) {
		to, err := at.Parse(string(found[1]))
		if err != nil {
			b.t.Fatal(err)
		}
		if to.Host != at.Host { // lightning: and the like
			continue
		}
		if !strings.HasPrefix(to.Path, prefix.Path+"/") {
			b.t.Errorf("the page leads to %s", to)
		}
		if strings.Contains(to.Path, "/assets/") {
			assets++
			b.get(to.String())
		}
	}
	if assets == 0 {
		b.t.Error("the page loads nothing")
	}
}

// TestTheProxiesOfTheManual has somebody pay by a Lightning address through each of them, at a name of its
// own and behind a path.
func TestTheProxiesOfTheManual(t *testing.T) {
	manual, err := os.ReadFile("../../systemd/MANUAL.md")
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]string{"nginx": "server_name %s;", "caddy": "%s {"} // a line of each
	for _, public := range []string{"https://pay.example.org", "https://example.org/pay"} {
		at, _ := url.Parse(public)
		s := open(t, public, "SANDGLASS_TRUST_PROXY=true")
		for _, k := range proxies.Kinds {
			t.Run(k.Program+" of "+public, func(t *testing.T) {
				snippet, err := proxies.Snippet(string(manual), fmt.Sprintf(first[k.Program], at.Host))
				if err != nil {
					t.Fatal(err)
				}
				p := proxies.Start(t, k, snippet, at.Host, strings.TrimPrefix(s.URL, "http://"))
				b := &behind{s, t, p.Client(t, "127.0.0.1")}
				b.buys(k.Program)
				// The rate is the client's, whatever he says of himself: another one's is his own.
				const many = 100 // of 10 at once, and 1 a second
				if b.refused(many, "127.0.0.7", p) == 0 || b.refused(1, "127.0.0.8", p) > 0 {
					t.Error("the proxy does not tell clients apart, or believes them")
				}
			})
		}
	}
}

// refused returns how many of so many requests at once are refused to a client, who says that he is another
// one in each.
func (b *behind) refused(n int, from string, p *proxies.Proxy) int {
	b.t.Helper()
	ctx, cancel := daemon.Step(b.t.Context())
	defer cancel()
	hc := p.Client(b.t, from)
	var refused atomic.Int32
	var g errgroup.Group
	for i := range n {
		g.Go(func() error {
			tooOften, err := b.write(ctx, hc, fmt.Sprintf("203.0.113.%d", i))
			if tooOften {
				refused.Add(1)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.t.Fatal(err)
	}
	return int(refused.Load())
}

// write asks for what counts as a write.
func (b *behind) write(ctx context.Context, hc *http.Client, forged string) (tooOften bool, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", b.public+"/lnurlp/nothing/callback", nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("X-Forwarded-For", forged)
	res, err := hc.Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || !strings.Contains(string(body), `"status":"ERROR"`) {
		return false, fmt.Errorf("%d %w %s", res.StatusCode, err, body)
	}
	return strings.Contains(string(body), "too many requests"), nil
}

// TestAnOnionService is reached as Tor reaches it: at its own address, by a name that is in no certificate.
func TestAnOnionService(t *testing.T) {
	const public = "http://vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd.onion"
	s := open(t, public)
	tor := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(s.URL, "http://"))
	}}
	t.Cleanup(tor.CloseIdleConnections)
	(&behind{s, t, &http.Client{Transport: tor}}).buys("hidden")
}
