package daemon_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/clock"
	"sandglass/domain/instant"
	"sandglass/testutil/daemon"
	"sandglass/testutil/fakelnd"
)

// A machine comes back with its clock a month ahead of where the daemon's stood: it is told,
// the log goes on in the daemon's own time, and the operator's word ends it for good.
func TestAClockAMonthAheadIsDoubtedUntilItIsAccepted(t *testing.T) {
	lnd, err := fakelnd.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lnd.Kill)
	lnd.Mine(100)
	d := daemon.New(t, "SANDGLASS_LND_ADDR="+lnd.Addr, "SANDGLASS_LND_TLS_CERT="+lnd.TLSCert,
		"SANDGLASS_LND_WATCH_MACAROON="+lnd.WatchMacaroon, "SANDGLASS_LND_ISSUE_MACAROON="+lnd.IssueMacaroon)
	ctx := t.Context()
	component := func() (c wire.Component) {
		t.Helper()
		ready, err := d.Client().Ready(ctx)
		if err != nil {
			t.Fatalf("%v\n%s", err, d.Log())
		}
		for _, c = range ready.Components {
			if c.Name == "clock" {
				return c
			}
		}
		t.Fatalf("no clock in %+v", ready.Components)
		return c
	}
	metric := func(want string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+daemon.Token)
		page, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = page.Body.Close() }()
		if b, err := io.ReadAll(page.Body); err != nil || !strings.Contains(string(b), "\n"+want+"\n") {
			t.Errorf("no %s in the metrics, %v", want, err)
		}
	}
	stood := clock.Mark{Own: instant.Of(time.Now()).Add(-30 * instant.Day)} // to which the present is a month ahead
	kept, err := json.Marshal(stood)
	if err == nil {
		err = os.WriteFile(filepath.Join(d.Dir, "clock.json"), kept, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.Start()
	d.Until(ctx, "the log is folded", func() error {
		_, err := d.Client().Publish(ctx, small)
		return err
	})
	metric("sandglass_clock_doubted 1")
	c := component()
	if c.Ready || c.State != "doubted" || !strings.Contains(c.Advice, "clock is 30d") ||
		!strings.Contains(c.Advice, "sandglass clock accept") || c.Since == 0 {
		t.Errorf("/readyz says %+v", c)
	}
	for e := range d.Events(ctx) {
		if e.At.Sub(stood.Own) > instant.Hour {
			t.Errorf("%s bears %s, a time that only the wall clock showed", e.Type, e.At)
		}
	}
	if !strings.Contains(d.Log(), `"component":"clock"`) {
		t.Errorf("the log says nothing of it:\n%s", d.Log())
	}

	out, err := d.Command(ctx, "clock", "accept")
	if err != nil || !strings.Contains(out, "the daemon has taken it") {
		t.Errorf("%v\n%s", err, out)
	}
	d.WaitReady(ctx)
	metric("sandglass_clock_doubted 0")
	d.Kill()
	d.Start()
	d.WaitReady(ctx)
	if c := component(); c.State != "trusted" {
		t.Errorf("after a restart: %s", fmt.Sprint(c))
	}
}
