package litewitness

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/receipt"
	"sandglass/testutil/daemon"
	"sandglass/testutil/devnet"
)

func TestMain(m *testing.M) { devnet.Run(m) }

// TestAReceiptIsVerifiedByStrangers: what real witnesses cosigned of a daemon with a real lnd proves a payment, to
// the command and to torchwood, when no daemon runs any more; and whatever is changed of it proves nothing to either.
func TestAReceiptIsVerifiedByStrangers(t *testing.T) {
	net := devnet.Shared(t)
	one, two := start(t, "witness.example/w1"), start(t, "witness.example/w2")
	d := daemon.New(t, append(net.Env(), "SANDGLASS_LOG_ORIGIN="+origin, "SANDGLASS_WITNESS_QUORUM=2",
		"SANDGLASS_WITNESSES="+one.url+" "+one.key.String()+", "+two.url+" "+two.key.String())...)
	s := &shop{t: t, Daemon: d}
	vkey := strings.TrimSpace(s.command("log", "key"))
	one.know(t, vkey)
	two.know(t, vkey)
	d.Start()
	d.WaitReady(t.Context())
	s.command("plan", "publish", "small", "--price", "3600sat", "--per", "1h",
		"--min", "1m", "--max", "30d", "--warn", "10m", "--grace", "1d")
	first, second := s.sell(net, "vm-1"), s.sell(net, "vm-2")
	homeless := s.receives(net)
	d.Stop()

	policy := fmt.Sprintf("log %s\nwitness one %s\nwitness two %s\ngroup both all one two\nquorum both\n", vkey, one.key, two.key)
	v := &verifiers{t: t, Daemon: d, torchwood: filepath.Join(programs(t), "torchwood"), file: s.file("policy", policy)}
	var err error
	if v.policy, err = cosign.ParsePolicy(policy); err != nil {
		t.Fatal(err)
	}
	if form, err := v.foreign(first); err != nil || !strings.Contains(form, `"amount_msat":600000`) {
		t.Errorf("torchwood says %q, %v", form, err)
	}
	var says struct {
		What, Resource, Log string
		Amount              money.Msat     `json:"amount_msat"`
		Time                instant.Millis `json:"time_ms"`
		Witnesses           []struct{ Name string }
	}
	out := s.command("receipt", "verify", s.file("receipt", first), "--policy", v.file, "--json")
	if err := json.Unmarshal([]byte(out), &says); err != nil || says.What != receipt.Credited || says.Resource != "vm-1" ||
		says.Log != origin || says.Amount != 600*money.Sat || says.Time != 10*instant.Minute || len(says.Witnesses) != 2 {
		t.Errorf("it says %s, %v", out, err)
	}
	v.refusesChanges(first, second)
	v.provesHowMuch(homeless)
	v.file = s.file("policy", strings.ReplaceAll(policy, one.key.String(), start(t, "witness.example/w1").key.String()))
	if form, err := v.foreign(first); err == nil {
		t.Errorf("torchwood accepts what another witness of that name did not cosign: %q", form)
	}
}

// shop is the daemon, which sells.
type shop struct {
	*daemon.Daemon
	t *testing.T
}

func (s *shop) command(args ...string) string {
	s.t.Helper()
	out, err := s.Command(s.t.Context(), args...)
	if err != nil {
		s.t.Fatalf("%q: %v\n%s\n%s", args, err, out, s.Log())
	}
	return out
}

func (s *shop) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// sell sells ten minutes of small, and returns the receipt once there is one.
func (s *shop) sell(net *devnet.Network, id string) (text string) {
	s.t.Helper()
	ctx := s.t.Context()
	o, err := s.Client().Order(ctx, wire.OrderRequest{Plan: "small", Time: 10 * instant.Minute, ID: id}, "")
	if err == nil {
		_, err = net.Bob.Pay(ctx, o.Payment.Request)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.Until(ctx, "it is cosigned", func() (err error) {
		text, err = s.Client().Receipt(ctx, id, o.Payment.Key)
		return err
	})
	if got := s.command("receipt", "get", o.Payment.Key, "--resource", id); !strings.HasPrefix(got, "c2sp.org/tlog-proof@v1\n") {
		s.t.Errorf("receipt get says %s", got)
	}
	return text
}

// receives has bob send money that is for nothing, and returns the receipt once there is one.
func (s *shop) receives(net *devnet.Network) (text string) {
	s.t.Helper()
	ctx := s.t.Context()
	if _, err := net.Bob.Keysend(ctx, net.Alice.Pubkey, 70_000, nil); err != nil {
		s.t.Fatal(err)
	}
	s.Until(ctx, "it is cosigned that it bought nothing", func() error {
		list, err := s.Client().Unallocated(ctx, "", 1)
		if err == nil && len(list.Payments) == 0 {
			err = errors.New("nothing is unallocated")
		}
		if err == nil {
			text, err = s.Client().Receipt(ctx, "", list.Payments[0].Key)
		}
		return err
	})
	return text
}

// verifiers are the two that are asked.
type verifiers struct {
	*daemon.Daemon
	t         *testing.T
	torchwood string // the program
	file      string // of the policy
	policy    *cosign.Policy
}

// foreign returns the event that a receipt proves to torchwood.
func (v *verifiers) foreign(text string) (string, error) {
	ctx, cancel := daemon.Step(v.t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, v.torchwood, v.file)
	cmd.Stdin = strings.NewReader(text)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, said.Bytes())
	}
	return string(out), err
}

// refused fails the test unless both verifiers refuse a receipt, and torchwood in such words.
func (v *verifiers) refused(what, text, words string) {
	v.t.Helper()
	if form, err := v.foreign(text); err == nil || !strings.Contains(err.Error(), words) {
		v.t.Errorf("%s: torchwood says %q, %v, want %q", what, form, err, words)
	}
	r, err := receipt.Parse(text)
	if err == nil {
		_, _, err = r.Verify(v.policy)
	}
	if err == nil {
		v.t.Errorf("%s: it is accepted by our own", what)
	}
}

// provesHowMuch takes a receipt of money that bought nothing, in which a second event says how much came: torchwood
// takes it by the cut that ARCHITECTURE.md tells, and refuses it with another second event, or place or proof of that.
func (v *verifiers) provesHowMuch(good string) {
	v.t.Helper()
	forms, err := v.foreign(good)
	if err != nil || !strings.Contains(forms, "payment.unallocated") || !strings.Contains(forms, `"amount_msat":70000`) {
		v.t.Errorf("torchwood says %q, %v", forms, err)
	}
	r, err := receipt.Parse(good)
	if err != nil || r.Paid == nil || len(r.Paid.Proof) == 0 {
		v.t.Fatalf("how much came it says by %+v, %v", r, err)
	}
	if said, err := r.Says(); err != nil || said.What != receipt.Unallocated || said.Amount != 70*money.Sat {
		v.t.Errorf("it says %+v, %v", said, err)
	}
	changed := func(what string, change func(*receipt.Paid)) {
		v.t.Helper()
		other, paid := *r, *r.Paid
		paid.Proof = slices.Clone(paid.Proof)
		change(&paid)
		other.Paid = &paid
		v.refused(what, other.String(), notIncluded)
	}
	changed("how much came", func(p *receipt.Paid) {
		p.Record.Data = bytes.Replace(p.Record.Data, []byte("70000"), []byte("90000"), 1)
	})
	changed("where it stands", func(p *receipt.Paid) { p.Index-- })
	changed("a hash of its proof", func(p *receipt.Paid) { p.Proof[0][0]++ })
	changed("a hash less", func(p *receipt.Paid) { p.Proof = p.Proof[1:] })
}

// Words of torchwood.
const (
	notIncluded = "inclusion proof verification failed"
	notSigned   = "invalid signature"
	tooFew      = "policy components satisfied"
)

// refusesChanges changes each part of a receipt in ten places of it, which chance chooses. Another is at hand.
func (v *verifiers) refusesChanges(good, other string) {
	v.t.Helper()
	lines := strings.SplitAfter(good, "\n")
	head := slices.Index(lines, "\n") // after the hashes of the proof
	body := head + 1                  // origin, size and root
	signed := body + 4                // the log's signature, and two more
	foreign := strings.SplitAfter(other, "\n")
	if len(lines) != signed+4 || head < 4 {
		v.t.Fatalf("the receipt has %d lines: %s", len(lines), good)
	}
	with := func(i int, line string) string {
		return strings.Join(slices.Concat(lines[:i], []string{line}, lines[i+1:]), "")
	}
	seed := rand.Uint64()
	chance := rand.New(rand.NewPCG(seed, 14))
	// flip changes a bit of those bytes that a line has in base64; until 0 is to their end.
	flip := func(i, from, until int) string {
		line := strings.TrimSuffix(lines[i], "\n")
		at := strings.LastIndex(line, " ") + 1
		b, err := base64.StdEncoding.DecodeString(line[at:])
		if err != nil {
			v.t.Fatal(err)
		}
		if until == 0 {
			until = len(b)
		}
		b[from+chance.IntN(until-from)] ^= 1 << chance.IntN(8)
		return with(i, line[:at]+base64.StdEncoding.EncodeToString(b)+"\n")
	}
	for range 10 {
		v.refused("the event", flip(1, 0, 0), notIncluded)
		v.refused("a hash", flip(3+chance.IntN(head-3), 0, 0), notIncluded)
		v.refused("the root", flip(body+2, 0, 0), notSigned)
		v.refused("the log's signature", flip(signed, 4, 0), notSigned)
		v.refused("a cosignature", flip(signed+1+chance.IntN(2), 4, 0), notSigned)
		v.refused("whose a signature is", flip(signed+chance.IntN(3), 0, 4), tooFew)
	}
	v.refused("the index", with(2, foreign[2]), notIncluded)
	v.refused("the size", with(body+1, "9"+lines[body+1]), notSigned)
	v.refused("the origin", with(body, "shop.example.com/log\n"), notSigned)
	v.refused("the event of another", with(1, foreign[1]), notIncluded)
	v.refused("another checkpoint", strings.Join(append(slices.Clone(lines[:head]), foreign[slices.Index(foreign, "\n"):]...), ""),
		notIncluded)
	for i := range 3 {
		v.refused("a line less", with(signed+i, ""), tooFew)
	}
	if v.t.Failed() {
		v.t.Logf("of seed %d:\n%s", seed, good)
	}
}
