package payer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/payer"
)

// TestBuy pays what a daemon asks for by a command, and gets what was bought by its preimage.
func TestBuy(t *testing.T) {
	preimage := strings.Repeat("ab", 32)
	raw, _ := hex.DecodeString(preimage)
	sum := sha256.Sum256(raw)
	invoice, token, busy := "lnbcrt72u1q", "TOKEN", true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked wire.BuyRequest
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Time != 7_200_000 || r.URL.Path != "/v1/buy" {
			t.Errorf("%s asks %+v, %v", r.URL, asked, err)
		}
		switch r.Header.Get("Authorization") {
		case "L402 TOKEN:" + preimage:
			if busy = !busy; !busy {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_ = json.NewEncoder(w).Encode(wire.Order{Resource: wire.Resource{ID: "vm-1", Status: "running"}, HolderKey: "the-key"})
		default:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusPaymentRequired)
			_ = json.NewEncoder(w).Encode(wire.PaymentRequired{
				Problem: wire.Problem{Status: 402, Code: "payment_required", Detail: "pay first"}, Token: token,
				Payment: wire.Payment{Key: "ln-" + hex.EncodeToString(sum[:]), Request: invoice, Asked: 7_200_000},
			})
		}
	}))
	t.Cleanup(s.Close)
	run := func(args ...string) (out, told string, err error) {
		var stdout, stderr bytes.Buffer
		cmd := payer.BuyCmd(&cli.Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr})
		cmd.SetArgs(append([]string{s.URL}, args...))
		cmd.SetOut(&stdout)
		cmd.SetErr(&stderr)
		err = cmd.ExecuteContext(context.Background())
		return stdout.String(), stderr.String(), err
	}
	pays := `echo '{"payment_hash":"` + strings.Repeat("cd", 32) + `","invoice":"{}","payment_preimage":"` + preimage + `"}'`
	out, told, err := run("small", "--time", "2h", "--pay-with", pays)
	if err != nil || !strings.Contains(out, "the-key") || !strings.Contains(out, "L402 TOKEN:"+preimage) ||
		!strings.Contains(told, "'L402 TOKEN:PREIMAGE'") {
		t.Errorf("%v\n%s\n%s", err, out, told)
	}
	out, _, err = run("small", "--time", "2h", "--credential", "L402 TOKEN:"+preimage)
	if err != nil || !strings.Contains(out, "vm-1") {
		t.Errorf("with what was paid: %v\n%s", err, out)
	}
	for pay, want := range map[string]string{
		"false {}":    "exit status 1",
		"echo done{}": "did not print the preimage",
		"echo":        "want {}",
	} {
		if _, _, err := run("small", "--time", "2h", "--pay-with", pay); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", pay, err)
		}
	}
	_, _, err = run("small", "--time", "2h", "--credential", "L402 wrong")
	if err == nil || !strings.Contains(err.Error(), "not lost") {
		t.Errorf("a wrong credential: %v", err)
	}
	if _, _, err := run("--time", "2h", "--pay-with", "x {}"); err == nil || !strings.Contains(err.Error(), "want PLAN") {
		t.Errorf("nothing is bought: %v", err)
	}
	for _, invoice = range []string{
		"lnbcrt73u1q", "lnbcrt72m1q", "LNBCRT72000010P1Q", "lnbcrt721q", "lnbcrt1q", "lnbcrt99999999991q",
	} {
		out, _, err := run("small", "--time", "2h", "--pay-with", pays)
		if err == nil || strings.Contains(err.Error(), "not lost") || !strings.Contains(err.Error(), "invoice") {
			t.Errorf("%s is paid, which is not what was asked: %v\n%s", invoice, err, out)
		}
	}
	invoice = "LNBCRT72U1Q"
	if _, _, err := run("small", "--time", "2h", "--pay-with", pays); err != nil {
		t.Errorf("in capitals: %v", err)
	}
	invoice = "lnbc1; exit 0"
	if _, _, err := run("small", "--time", "2h", "--pay-with", pays); err == nil || !strings.Contains(err.Error(), "no invoice") {
		t.Errorf("a daemon that has a shell do something: %v", err)
	}
	invoice, token = "lnbcrt72u1q", "T'; exit 0; '"
	if _, told, err := run("small", "--time", "2h", "--pay-with", pays); err == nil || strings.Contains(told, "paying") ||
		!strings.Contains(err.Error(), "no token") {
		t.Errorf("a daemon that has whoever pastes its token do something: %q, %v", told, err)
	}
}
