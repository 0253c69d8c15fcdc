package purchase_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/purchase"
	"sandglass/domain/instant"
	"sandglass/domain/money"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

// TestMain lets the test binary be the command, which can then be killed.
func TestMain(m *testing.M) {
	if os.Getenv("BUY") == "" {
		os.Exit(m.Run())
	}
	e := &cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, JSON: os.Getenv("BUY") == "json"}
	cmd := purchase.Cmd(e)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cli.Strict(cmd)
	cmd.SetArgs(os.Args[1:])
	os.Exit(cli.Status(cmd.ExecuteContext(context.Background()), os.Stderr))
}

// shop is a daemon that sells, and a wallet: a folder with the preimage of each invoice, and what is paid.
type shop struct {
	t      *testing.T
	url    string
	wallet string
	dir    string // in which the command is run

	mu sync.Mutex // guards what follows, which the daemon reads
	daemon
}

// daemon is what a daemon does otherwise than it should, if it does.
type daemon struct {
	invoice, token, id string
	answer             func(http.ResponseWriter, *http.Request) bool
	status             string // of what is not paid

	asked int
}

// now changes what the daemon does.
func (s *shop) now(change func(*daemon)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.daemon)
}

// invoices returns how many were asked for.
func (s *shop) invoices() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// price of an hour.
const price = 3_600_000

func open(t *testing.T) *shop {
	s := &shop{t: t, wallet: t.TempDir(), dir: t.TempDir(), daemon: daemon{status: "requested", id: "vm-1"}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/buy", s.buy)
	mux.HandleFunc("GET /v1/payments/{key}", s.payment)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *shop) paid(hash string) bool {
	_, err := os.Stat(filepath.Join(s.wallet, hash+".paid"))
	return err == nil
}

// payments returns how many invoices are paid.
func (s *shop) payments() int {
	all, err := filepath.Glob(filepath.Join(s.wallet, "*.paid"))
	s.must(err)
	return len(all)
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) payment(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := wire.Payment{Key: r.PathValue("key"), Status: s.status}
	if hash := strings.TrimPrefix(p.Key, "ln-"); s.paid(hash) {
		p.Status = "credited"
	}
	_ = json.NewEncoder(w).Encode(p)
}

// buy answers a request whose credential says TOKEN of it, and another one with a challenge.
func (s *shop) buy(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var asks wire.BuyRequest
	if err := json.NewDecoder(r.Body).Decode(&asks); err != nil {
		s.t.Errorf("%v", err)
	}
	if s.answer != nil && s.answer(w, r) {
		return
	}
	b, _ := json.Marshal(asks)
	of := sha256.Sum256(b)
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "L402 ")
	token, preimage, _ := strings.Cut(text, ":")
	raw, _ := hex.DecodeString(preimage)
	hash := sha256.Sum256(raw)
	if strings.HasSuffix(token, hex.EncodeToString(of[:8])) && s.paid(hex.EncodeToString(hash[:])) {
		_ = json.NewEncoder(w).Encode(wire.Order{
			Resource: wire.Resource{ID: "vm-1", Status: "running", Page: "/r/vm-1"}, HolderKey: "the-key",
		})
		return
	}
	s.asked++
	secret := sha256.Sum256(fmt.Append(nil, s.asked))
	hash = sha256.Sum256(secret[:])
	name := hex.EncodeToString(hash[:])
	s.must(os.WriteFile(filepath.Join(s.wallet, name), []byte(hex.EncodeToString(secret[:])), 0o600))
	amount := asks.Amount
	if asks.Time != 0 {
		amount = money.Msat(int64(price) * int64(asks.Time/instant.Hour))
	}
	due := wire.PaymentRequired{
		Problem: wire.Problem{Status: 402, Code: "payment_required", Detail: "pay first"},
		Token:   fmt.Sprintf("T%d/%x", s.asked, of[:8]),
		Payment: wire.Payment{
			Key: "ln-" + name, Request: invoiceOf(amount, hash), Asked: amount, Resource: s.id, ExpiresAt: 1,
		},
	}
	if s.invoice != "" {
		due.Payment.Request = s.invoice
	}
	if s.token != "" {
		due.Token = s.token
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusPaymentRequired)
	_ = json.NewEncoder(w).Encode(due)
}

// invoiceOf returns an invoice of an amount and a payment hash, which has a signature of zeros.
func invoiceOf(amount money.Msat, hash [32]byte) string {
	words, _ := bech32.ConvertBits(hash[:], 8, 5, true) // bytes
	data := append(make([]byte, 7), 13, 0, 1, 0, 1, 1, 20)
	text, _ := bech32.Encode(fmt.Sprintf("lnbcrt%dn", amount/100), slices.Concat(data, words, make([]byte, 104)))
	return text
}

// pays is a wallet's command that does something, and then tells what it was, as one that only pays once.
func (s *shop) pays(steps ...string) string {
	in := func(script string) string { return strings.ReplaceAll(script, "DIR", s.wallet) }
	for i := range steps {
		steps[i] = in(steps[i])
	}
	return "set -e; : {}; " + strings.Join(steps, "; ")
}

// What a wallet's command does.
const (
	moneyGoes = `if [ -e DIR/{hash}.paid ]; then echo already paid >&2; else touch DIR/{hash}.paid; fi`
	tells     = `echo "{\"payment_hash\":\"{hash}\",\"invoice\":\"{}\",\"payment_preimage\":\"$(cat DIR/{hash})\"}"`
	says      = `echo; echo "preimage: $(cat DIR/{hash})."`
	dies      = `kill -9 $PPID`
	fails     = `echo no route; false`
)

// ran is what became of a command.
type ran struct {
	out, err string
	status   int
}

func (s *shop) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env, cmd.Dir = append(os.Environ(), "BUY=1"), s.dir
	return cmd
}

func (s *shop) run(args ...string) ran {
	s.t.Helper()
	var out, told bytes.Buffer
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &told
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		s.t.Fatal(err)
	}
	return ran{out.String(), told.String(), cmd.ProcessState.ExitCode()}
}

// expect fails the test unless a command ended with a status and said something.
func (r ran) expect(t *testing.T, what string, status int, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(r.out+r.err, w) {
			t.Errorf("%s: it does not say %q", what, w)
		}
	}
	if r.status != status || t.Failed() {
		t.Fatalf("%s: it ended with %d, and said\n%s%s", what, r.status, r.out, r.err)
	}
}
