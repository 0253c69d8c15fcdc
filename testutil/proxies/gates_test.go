package proxies_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/testutil/daemon"
	"sandglass/testutil/proxies"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/lightningnetwork/lnd/zpay32"
	"gopkg.in/macaroon.v2"
)

// site is what is behind the gates.
const site = "what was paid for"

// sited returns a folder with the site.
func sited(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(site), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asker asks for the site through a gate.
type asker struct {
	*shop
	t    *testing.T
	http *http.Client
	host string
}

// answer is what it got.
type answer struct {
	status     int
	challenges []string // all headers of the name
	challenge  string   // and what they say
	body       string
	began      time.Time
}

func (a *asker) get(authorization string) (got answer) {
	a.t.Helper()
	ctx, cancel := daemon.Step(a.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1/", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Host = a.host
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	got.began = time.Now()
	res, err := a.http.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	got.status, got.body = res.StatusCode, string(body)
	got.challenges = res.Header.Values("WWW-Authenticate")
	got.challenge = strings.Join(got.challenges, ", ")
	if (got.status == http.StatusOK) != (got.body == site) {
		a.t.Fatalf("%d %s", got.status, got.body)
	}
	return got
}

// challenged is what a challenge of L402 says.
var challenged = regexp.MustCompile(
	`^L402 macaroon="([^"]+)", invoice="([^"]+)", version="0", token="([^"]+)", Payment id="[^"]+"`)

// pays pays the challenge of a gate, and returns the credential, and what it bought time of.
func (a *asker) pays(got answer) (authorization string, bought wire.Resource) {
	a.t.Helper()
	said := challenged.FindStringSubmatch(got.challenge)
	if got.status != http.StatusPaymentRequired || said == nil || said[1] != said[3] {
		a.t.Fatalf("%d %q %s", got.status, got.challenges, got.body)
	}
	invoice, err := zpay32.Decode(said[2], &chaincfg.RegressionNetParams)
	if err != nil {
		a.t.Fatal(err)
	}
	hash := hex.EncodeToString(invoice.PaymentHash[:])
	if err := a.node.Pay(hash, int64(*invoice.MilliSat)); err != nil {
		a.t.Fatal(err)
	}
	for _, row := range a.node.Settled() {
		if hex.EncodeToString(row.RHash) == hash {
			authorization = "L402 " + said[1] + ":" + hex.EncodeToString(row.RPreimage)
		}
	}
	raw, err := macaroon.Base64Decode([]byte(said[1]))
	var m macaroon.Macaroon
	if err == nil {
		err = m.UnmarshalBinary(raw)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(string(m.Caveats()[0].Id), "services="), ":")
	key := string(payment.LightningKey(hash))
	a.Until(a.t.Context(), "it is credited", func() (err error) {
		if bought, err = a.Client().Resource(a.t.Context(), id); err != nil {
			return err
		}
		if !slices.ContainsFunc(bought.Lots, func(l wire.Lot) bool { return l.Payment == key }) {
			return fmt.Errorf("it has %+v", bought.Lots)
		}
		return nil
	})
	return authorization, bought
}

// gate is one of the manual's.
type gate struct {
	snippet string
	// open opens it until the test ends, and returns who asks through it from an address.
	open func(t *testing.T, snippet string) func(address string) *http.Client
}

// gates are those of the manual, of a daemon that sells the site by plans.
func gates(t *testing.T, plans ...string) (*shop, map[string]gate) {
	t.Helper()
	s := open(t, "https://pay.example.org", "SANDGLASS_TRUST_PROXY=true")
	for _, name := range plans {
		if _, err := s.Client().Publish(t.Context(), wire.PublishRequest{
			Name: name, Price: wire.Price{Msat: 10_000, Per: instant.Hour}, Min: 1, Max: instant.Day, Grace: instant.Day,
		}); err != nil {
			t.Fatal(err)
		}
	}
	root, at := sited(t), strings.TrimPrefix(s.URL, "http://")
	real := func(k proxies.Kind) func(*testing.T, string) func(string) *http.Client {
		return func(t *testing.T, snippet string) func(string) *http.Client {
			p := proxies.Start(t, k, strings.ReplaceAll(snippet, "/srv/www", root), "127.0.0.1", at)
			return func(address string) *http.Client { return p.Client(t, address) }
		}
	}
	return s, map[string]gate{
		"nginx": {snippetOf(t, "auth_request /gate;"), real(proxies.Kinds[0])},
		"caddy": {snippetOf(t, "forward_auth 127.0.0.1:8420 {"), real(proxies.Kinds[1])},
		"traefik": {snippetOf(t, "forwardAuth:"), func(t *testing.T, snippet string) func(string) *http.Client {
			return traefik(t, root, at, snippet)
		}},
	}
}

// snippetOf returns the block of the manual that has a line.
func snippetOf(t *testing.T, line string) string {
	t.Helper()
	manual, err := os.ReadFile("../../systemd/MANUAL.md")
	if err != nil {
		t.Fatal(err)
	}
	snippet, err := proxies.Snippet(string(manual), line)
	if err != nil {
		t.Fatal(err)
	}
	return snippet
}

// TestTheGatesOfTheManual sells a site by the hour, through each proxy as the manual has it.
func TestTheGatesOfTheManual(t *testing.T) {
	s, gates := gates(t)
	publish := strings.Fields(snippetOf(t, "sandglass plan publish site --price 10sat --per 1h --min 1m --max 720h --grace 1h"))
	if out, err := s.Command(t.Context(), publish[1:]...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, g := range gates {
		t.Run(name, func(t *testing.T) {
			from := g.open(t, g.snippet)
			a, other := &asker{s, t, from("127.0.0.1"), ""}, &asker{s, t, from("127.0.0.7"), ""}
			first := a.get("")
			if again := a.get(""); first.challenge == "" || again.challenge != first.challenge {
				t.Errorf("one client has two challenges: %q, %q", first.challenges, again.challenges)
			}
			if others := other.get(""); others.status != http.StatusPaymentRequired || others.challenge == first.challenge {
				t.Errorf("two clients have one challenge: %d %q", others.status, others.challenges)
			}
			bought, r := a.pays(first)
			for range 20 {
				if got := a.get(bought); got.status != http.StatusOK {
					t.Fatalf("%d %s\n%s", got.status, got.body, s.Log())
				}
			}
			if r.Plan != "site" || r.Credited != 10_000 || r.Lots[0].Time != instant.Hour {
				t.Errorf("it bought %+v", r)
			}
			if got := other.get("L402 " + strings.Repeat("A", 300) + ":" + strings.Repeat("00", 32)); got.status == http.StatusOK {
				t.Errorf("a forged one passes: %+v", got)
			}
		})
	}
}

// TestAGateCloses within 5 s of the end of what was paid, and not before.
func TestAGateCloses(t *testing.T) {
	s, gates := gates(t, "site")
	for i, name := range slices.Sorted(maps.Keys(gates)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := gates[name].open(t, strings.ReplaceAll(gates[name].snippet, "time_ms=3600000", "time_ms=4000"))
			a := &asker{s, t, from(fmt.Sprintf("127.0.0.%d", 10+i)), ""} // a client has one challenge
			bought, r := a.pays(a.get(""))
			for !a.servedUntilTheEnd(bought, r) { // it was over before it was asked for: the machine is busy
				more, same := a.pays(a.get(bought))
				if same.ID != r.ID {
					t.Fatalf("what it buys more of is %s, not %s", same.ID, r.ID)
				}
				bought, r = more, same
			}
		})
	}
}

// servedUntilTheEnd asks until it is refused, and reports whether it was served before.
func (a *asker) servedUntilTheEnd(bought string, r wire.Resource) bool {
	a.t.Helper()
	end, served := time.UnixMilli(int64(r.PaidUntil)), 0
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for got := a.get(bought); got.status == http.StatusOK; got = a.get(bought) {
		served++
		if late := got.began.Sub(end); late > 5*time.Second {
			a.t.Fatalf("it was served %s after its end", late)
		}
		<-tick.C
	}
	late := time.Since(end)
	if late < -100*time.Millisecond { // the daemon's clock is its own
		a.t.Errorf("it was refused %s before its end", -late)
	}
	a.t.Logf("served %d times, refused %s after its end", served, late.Round(time.Millisecond))
	return served > 0
}

// TestTwoGatesOnOneNginx: who paid for the one does not pass the other, with the cache that they share.
func TestTwoGatesOnOneNginx(t *testing.T) {
	s, gates := gates(t, "site", "other")
	one := gates["nginx"].snippet
	_, server, _ := strings.Cut(one, "\nserver {\n")
	server = strings.NewReplacer("plan=site", "plan=other", `"site `, `"other `).Replace(server)
	from := gates["nginx"].open(t, one+"server {\n    server_name other.example;\n"+server)
	a, b := &asker{s, t, from("127.0.0.1"), ""}, &asker{s, t, from("127.0.0.1"), "other.example"}
	bought, _ := a.pays(a.get(""))
	for range 3 {
		if a.get(bought).status != http.StatusOK || b.get(bought).status != http.StatusPaymentRequired {
			t.Error("who paid for the one passes the other, or not his own")
		}
	}
	both, _ := b.pays(b.get(""))
	if b.get(both).status != http.StatusOK || a.get(both).status != http.StatusPaymentRequired {
		t.Error("who paid for the other passes the one, or not his own")
	}
}

// traefik serves a folder as Traefik does behind the forwardAuth of a snippet: it asks with the headers of the
// request and its own X-Forwarded ones, and hands on what is no success as it is.
func traefik(t *testing.T, root, daemon, snippet string) func(string) *http.Client {
	t.Helper()
	address := regexp.MustCompile(`(?m)^ +address: "(.*)"$`).FindStringSubmatch(snippet)
	if address == nil {
		t.Fatalf("no address in %s", snippet)
	}
	ask := strings.Replace(address[1], "127.0.0.1:8420", daemon, 1)
	files := http.FileServer(http.Dir(root))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), "GET", ask, nil)
		if err != nil {
			panic(err)
		}
		req.Header = r.Header.Clone()
		for _, hop := range []string{"Connection", "Keep-Alive", "Te", "Trailers", "Transfer-Encoding", "Upgrade"} {
			req.Header.Del(hop)
		}
		for name, value := range map[string]string{
			"For": strings.Split(r.RemoteAddr, ":")[0], "Method": r.Method, "Proto": "http", "Host": r.Host, "Uri": r.RequestURI,
		} {
			req.Header.Set("X-Forwarded-"+name, value)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer res.Body.Close()
		if res.StatusCode/100 == 2 {
			files.ServeHTTP(w, r)
			return
		}
		for name, values := range res.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body) // whoever asked sees what is missing
	}))
	t.Cleanup(server.Close)
	p := proxies.At(strings.TrimPrefix(server.URL, "http://"))
	return func(address string) *http.Client { return p.Client(t, address) }
}
