package daemon_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/proof/cosign"
	"sandglass/testutil/daemon"
	"sandglass/testutil/fakelnd"
	"sandglass/testutil/fakewitness"

	"golang.org/x/mod/sumdb/tlog"
)

// TestALogIsCosigned: what is signed is cosigned by a quorum of witnesses, which outlasts a kill, and a witness
// that contradicts the log is told and keeps nobody from paying.
func TestALogIsCosigned(t *testing.T) {
	lnd, err := fakelnd.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lnd.Kill)
	lnd.Mine(100)
	const origin = "shop.example.org/log"
	var witnesses []*fakewitness.Witness
	var named []string
	for i := range 2 {
		w := fakewitness.New(fmt.Sprintf("w.example/%d", i), func() instant.Time { return instant.Of(time.Now()) })
		server := httptest.NewServer(w)
		t.Cleanup(server.Close)
		witnesses, named = append(witnesses, w), append(named, server.URL+" "+w.Key.String())
	}
	d := daemon.New(t, "SANDGLASS_STORE=sqlite:sandglass.db", "SANDGLASS_LOG_ORIGIN="+origin,
		"SANDGLASS_WITNESSES="+strings.Join(named, ", "), "SANDGLASS_WITNESS_QUORUM=2",
		"SANDGLASS_LND_ADDR="+lnd.Addr, "SANDGLASS_LND_TLS_CERT="+lnd.TLSCert,
		"SANDGLASS_LND_WATCH_MACAROON="+lnd.WatchMacaroon, "SANDGLASS_LND_ISSUE_MACAROON="+lnd.IssueMacaroon)
	s := &signed{d, t}
	vkey := strings.TrimSpace(s.command("log", "key"))
	for _, w := range witnesses {
		w.Know(origin, vkey)
	}
	policy, err := cosign.NewPolicy(vkey, 2, witnesses[0].Key, witnesses[1].Key)
	if err != nil {
		t.Fatal(err)
	}
	cosigned := func(what string) int64 {
		t.Helper()
		l := s.until("all is signed: "+what, whole)
		var size int64
		s.Until(t.Context(), what, func() error {
			c, lines, err := policy.Open([]byte(s.get("/log/0/checkpoint")))
			if size = c.Size; err == nil && (c.Size < l.Signed || len(lines) != 2) {
				err = fmt.Errorf("of %d events there are %d, with %d lines", l.Signed, c.Size, len(lines))
			}
			return err
		})
		return size
	}
	d.Start()
	d.WaitReady(t.Context())
	first := cosigned("cosigned")
	s.command("plan", "publish", "small", "--price", "3600sat", "--per", "1h", "--min", "1m",
		"--max", "30d", "--warn", "10m", "--grace", "1d")
	d.Kill()
	d.Start()
	d.WaitReady(t.Context())
	if size := cosigned("cosigned again"); size <= first {
		t.Errorf("%d events after %d", size, first)
	}
	witnesses[0].Set(origin, tlog.Tree{N: first, Hash: tlog.Hash{1}})
	s.command("plan", "publish", "other", "--price", "3600sat", "--per", "1h", "--min", "1m",
		"--max", "30d", "--warn", "10m", "--grace", "1d")
	s.Until(t.Context(), "the conflict is told", func() error {
		ready, err := d.Client().Ready(t.Context())
		if err != nil {
			return err
		}
		at := slices.IndexFunc(ready.Components, func(c wire.Component) bool { return c.Name == "witnesses" })
		if c := ready.Components[at]; c.State != "conflict" || !c.Ready || !strings.Contains(c.Advice, "another history") {
			return fmt.Errorf("/readyz says %+v", c)
		}
		if metrics := s.get("/metrics"); !strings.Contains(metrics, `sandglass_log_witnesses{state="conflict"} 1`) {
			return fmt.Errorf("/metrics says %s", metrics)
		}
		if !strings.Contains(d.Log(), "a witness contradicts the log") {
			return errors.New("no line of the log says so")
		}
		return nil
	})
}
