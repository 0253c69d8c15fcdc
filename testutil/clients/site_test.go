package clients_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/proxies"
)

// TestAgentsBuyASite that is behind a proxy, as the manual has it: by one call, and later by what that gave them.
func TestAgentsBuyASite(t *testing.T) {
	a := newAgent(t)
	a.Publish(wire.PublishRequest{
		Name: "site", Price: wire.Price{Msat: 10_000, Per: instant.Hour}, Min: instant.Minute, Max: instant.Day, Grace: instant.Day,
	})
	const site = "what was paid for"
	root := t.TempDir()
	a.Must(os.WriteFile(filepath.Join(root, "index.html"), []byte(site), 0o644))
	manual, err := os.ReadFile("../../systemd/MANUAL.md")
	a.Must(err)
	for i, line := range []string{"auth_request /gate;", "forward_auth 127.0.0.1:8420 {"} {
		k := proxies.Kinds[i]
		t.Run(k.Program, func(t *testing.T) {
			snippet, err := proxies.Snippet(string(manual), line)
			a.Must(err)
			p := proxies.Start(t, k, strings.ReplaceAll(snippet, "/srv/www", root), "127.0.0.1", strings.TrimPrefix(a.URL, "http://"))
			a.front = "http://" + p.Addr()
			a.meets(way{})
			f := a.fetch("GET", "/", "")
			again := a.fetch("GET", "/", "", f.Credentials)
			for _, got := range []fetched{f, again} {
				if got.Status != http.StatusOK || got.Body != site {
					t.Fatalf("%+v\n%s", got, a.Log())
				}
			}
			if paid, _ := a.counted(); paid != 1 || !f.Paid || f.Sat != 10 || again.Paid {
				t.Errorf("it paid %d times: %+v, and again %+v", paid, f, again)
			}
		})
	}
}
