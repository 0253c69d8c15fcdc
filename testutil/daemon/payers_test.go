package daemon_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/testutil/daemon"
	"sandglass/testutil/fakelnd"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/lightningnetwork/lnd/zpay32"
)

// TestPayersAreWitnesses: what an invoice of the past says is found good, and where an event of before it was
// changed it is refused; also that of a wallet that was shown a text, and took its time over a restart.
func TestPayersAreWitnesses(t *testing.T) {
	const public = "https://host.example"
	s := payersOf(t, "SANDGLASS_PUBLIC_URL="+public)
	first := s.until("it is signed", func(l *wire.Log) bool { return l.Signed > 0 })
	invoice := s.order("vm-1")
	seen := s.read(invoice)
	if b, ok := checkpoint.FindBrief(*seen.Description); !ok || b.Size < first.Signed {
		t.Fatalf("its description is %q", *seen.Description)
	}
	var shown struct{ Callback, Metadata string }
	s.decode(s.get("/lnurlp/vm-1"), &shown)
	s.publish("later")
	s.until("all is signed again", func(l *wire.Log) bool { return whole(l) && l.Signed > first.Signed })
	s.Kill()
	s.Start()
	s.WaitReady(t.Context())
	var paid struct{ PR string }
	s.decode(s.get(strings.TrimPrefix(shown.Callback, public)+"?amount=60000"), &paid)
	if h := s.read(paid.PR).DescriptionHash; h == nil || *h != sha256.Sum256([]byte(shown.Metadata)) {
		t.Errorf("its h is %x, of %s", h, shown.Metadata)
	}
	held := []string{"audit", "verify", "--invoice", invoice, "--invoice", paid.PR, "--metadata", shown.Metadata}
	if out := s.command(held...); strings.Count(out, ": agrees") != 2 {
		t.Errorf("it says %s", out)
	}
	s.Stop()
	path := filepath.Join(t.TempDir(), "log.ndjson")
	s.command("audit", "export", "--format", "ndjson", "--out", path, "--store", "sqlite:"+filepath.Join(s.Dir, "sandglass.db"))
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rewritten := strings.Replace(string(log), `"actor":"operator"`, `"actor":"nobody"`, 1)
	if err := os.WriteFile(path, []byte(rewritten), 0o600); err != nil || rewritten == string(log) {
		t.Fatalf("%v, or the log is the same", err)
	}
	out, err := s.Command(t.Context(), append(held, "--log", path)...)
	if err == nil || strings.Count(out, ": DIFFERS") != 2 || !strings.Contains(out, "the log is not that of the invoice lnbcrt") {
		t.Errorf("of a log that was rewritten it says %s, %v", out, err)
	}
}

// TestInvoicesSayNothingOfTheLog where they are not to.
func TestInvoicesSayNothingOfTheLog(t *testing.T) {
	s := payersOf(t, "SANDGLASS_INVOICE_CHECKPOINT=false")
	s.until("it is signed", func(l *wire.Log) bool { return l.Signed > 0 })
	invoice := s.order("vm-1")
	if text := *s.read(invoice).Description; strings.Count(text, " · ") != 2 || !strings.HasPrefix(text, "vm-1 · 1h · ") {
		t.Errorf("its description is %q", text)
	}
	out, err := s.Command(t.Context(), "audit", "verify", "--invoice", invoice)
	if err == nil || !strings.Contains(out, "no checkpoint") {
		t.Errorf("it says %s, %v", out, err)
	}
}

// payersOf starts a daemon with a plan "small", whose log is about to be signed.
func payersOf(t *testing.T, env ...string) *signed {
	t.Helper()
	lnd, err := fakelnd.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lnd.Kill)
	lnd.Mine(100)
	d := daemon.New(t, append(env, "SANDGLASS_STORE=sqlite:sandglass.db",
		"SANDGLASS_LND_ADDR="+lnd.Addr, "SANDGLASS_LND_TLS_CERT="+lnd.TLSCert,
		"SANDGLASS_LND_WATCH_MACAROON="+lnd.WatchMacaroon, "SANDGLASS_LND_ISSUE_MACAROON="+lnd.IssueMacaroon)...)
	s := &signed{d, t}
	d.Start()
	d.WaitReady(t.Context())
	s.publish("small")
	return s
}

func (s *signed) publish(plan string) {
	s.t.Helper()
	s.command("plan", "publish", plan, "--price", "3600sat", "--per", "1h", "--min", "1m", "--max", "30d", "--warn", "10m",
		"--grace", "1d")
}

// order returns the invoice of an hour.
func (s *signed) order(id string) string {
	s.t.Helper()
	o, err := s.Client().Order(s.t.Context(), wire.OrderRequest{ID: id, Plan: "small", Time: instant.Hour}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return o.Payment.Request
}

func (s *signed) read(invoice string) *zpay32.Invoice {
	s.t.Helper()
	inv, err := zpay32.Decode(invoice, &chaincfg.RegressionNetParams)
	if err != nil {
		s.t.Fatal(fmt.Errorf("%s: %w", invoice, err))
	}
	return inv
}

func (s *signed) decode(text string, v any) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}
