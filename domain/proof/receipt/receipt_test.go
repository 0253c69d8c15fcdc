package receipt_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/receipt"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	origin               = "shop.example.org/log"
	at      instant.Time = 1_795_000_000_000
	paidKey              = payment.Key("ln-00ff")
)

// books is a log in memory, and its tree.
type books struct {
	t      *testing.T
	store  stream.EventStore
	recs   []stream.Record
	hashes []tlog.Hash // as package tlog stores them
	issuer *receipt.Issuer
	signed int64 // events under the checkpoint; -1 is none
	root   *proof.Hash
	key    *checkpoint.Key
	vkey   string
	cosign []note.Signer
	policy *cosign.Policy // of the log and one witness
}

// newBooks returns the log of a payment among others, all of which is signed and cosigned.
func newBooks(t *testing.T, events ...fact) *books {
	t.Helper()
	store, _ := storetest.SQLite(t)
	b := &books{t: t, store: store}
	for i := range 40 {
		b.append("toy-1", storetest.Events("toy-1", stream.Revision(i)-1, fmt.Sprint(i), 1)[0])
	}
	for _, f := range events {
		b.append(f.stream, stream.Event{Type: f.event.Type(), At: at, Data: codec.Encode(f.event)})
	}
	for i := range 8 {
		b.append("toy-2", storetest.Events("toy-2", stream.Revision(i)-1, fmt.Sprint(i), 1)[0])
	}
	b.signed = int64(len(b.recs))
	b.issuer = &receipt.Issuer{Store: store, Tree: b, Best: b.best}
	var err error
	if b.key, err = checkpoint.NewKey(mathrand.NewChaCha8([32]byte{1})); err != nil {
		t.Fatal(err)
	}
	if b.vkey, err = b.key.VKey(origin); err != nil {
		t.Fatal(err)
	}
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, ed25519.SeedSize))
	s, err := cosign.Signer("w.example/1", private, func() instant.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	b.cosign = []note.Signer{s}
	b.policy, err = cosign.ParsePolicy(fmt.Sprintf("log %s\nwitness one %s\nquorum one\n", b.vkey, s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fact is an event of a stream.
type fact struct {
	stream string
	event  stream.Fact
}

func (b *books) append(name string, e stream.Event) {
	b.t.Helper()
	rev := stream.NoStream
	for _, r := range b.recs {
		if r.Stream == name {
			rev = r.Revision
		}
	}
	e.ID = stream.NewID(name, rev+1, e)
	out, err := b.store.Append(b.t.Context(), name, rev, []stream.Event{e})
	if err != nil {
		b.t.Fatal(err)
	}
	for r, err := range b.store.Read(b.t.Context(), name, out.Revision) {
		if err != nil {
			b.t.Fatal(err)
		}
		r.RecordedAt += 5 // as if an earlier event had been written later
		b.recs = append(b.recs, r)
	}
	last := &b.recs[len(b.recs)-1]
	entry := proof.Entry(last, last.RecordedAt)
	hashes, err := tlog.StoredHashes(int64(len(b.recs)-1), entry[:], b)
	if err != nil {
		b.t.Fatal(err)
	}
	b.hashes = append(b.hashes, hashes...)
}

func (b *books) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, n := range indexes {
		out[i] = b.hashes[n]
	}
	return out, nil
}

func (b *books) IndexOf(_ context.Context, name string, rev stream.Revision) (int64, stream.Record, error) {
	for i, r := range b.recs {
		if r.Stream == name && r.Revision == rev {
			return int64(i), r, nil
		}
	}
	return 0, stream.Record{}, follow.ErrNotYet
}

func (b *books) Inclusion(_ context.Context, index, size int64) (tlog.RecordProof, error) {
	return tlog.ProveRecord(size, index, b)
}

func (b *books) best() (c checkpoint.Checkpoint, msg []byte, ok bool) {
	if b.signed < 0 {
		return c, nil, false
	}
	c = checkpoint.Checkpoint{Origin: origin, Size: b.signed}
	var err error
	if c.Root, err = tlog.TreeHash(b.signed, b); err != nil {
		b.t.Fatal(err)
	}
	if b.root != nil {
		c.Root = *b.root
	}
	if msg, err = checkpoint.Sign(c, b.key); err != nil {
		b.t.Fatal(err)
	}
	cosigned, err := note.Sign(&note.Note{Text: c.String()}, b.cosign...)
	if err != nil {
		b.t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(cosigned), "\n\n")
	return c, append(msg, lines...), true
}

// issue returns the receipt of the payment.
func (b *books) issue(p payment.State) *receipt.Receipt {
	b.t.Helper()
	r, err := b.issuer.Issue(b.t.Context(), &p)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

var (
	state    = payment.State{Key: paidKey, Resource: "web-1"}
	credited = &resource.Credited{
		Payment: string(paidKey), Amount: 7_200_000, Time: instant.Hour, Price: money.Price{Msat: 3_600_000, Per: instant.Hour},
		DebtPaid: 3_600_000,
	}
	other       = &resource.Credited{Payment: "ln-01", Amount: 1000, Time: 1000, Price: money.Price{Msat: 1, Per: 1}}
	reversed    = &resource.Reversed{Payment: string(paidKey), Amount: 7_200_000, Time: 5, Reason: resource.ReasonReorged}
	settled     = &payment.Settled{Amount: 7_200_001, Via: payment.ViaBOLT11}
	unallocated = &payment.Unallocated{Resource: "web-1", Reason: payment.ReasonReleased}
)

func TestAReceiptSaysWhatBecameOfAPayment(t *testing.T) {
	const of, in = "resource-web-1", "payment-ln-00ff"
	for name, test := range map[string]struct {
		events []fact
		want   receipt.Said
	}{
		"credited": {[]fact{{of, credited}, {of, other}}, receipt.Said{
			What: receipt.Credited, Resource: "web-1", Amount: 7_200_000, Time: instant.Hour,
			Price: money.Price{Msat: 3_600_000, Per: instant.Hour}, DebtPaid: 3_600_000,
		}},
		"taken back": {[]fact{{of, credited}, {of, reversed}}, receipt.Said{
			What: receipt.Reversed, Resource: "web-1", Amount: 7_200_000, Time: 5, Reason: "reorged",
		}},
		"not credited": {[]fact{{of, other}, {in, settled}, {in, unallocated}}, receipt.Said{
			What: receipt.Unallocated, Resource: "web-1", Amount: 7_200_001, Reason: "released",
		}},
		"not credited, and nothing says how much it was": {[]fact{{in, unallocated}}, receipt.Said{
			What: receipt.Unallocated, Resource: "web-1", Reason: "released",
		}},
		"credited after all": {[]fact{{in, unallocated}, {of, credited}}, receipt.Said{
			What: receipt.Credited, Resource: "web-1", Amount: 7_200_000, Time: instant.Hour,
			Price: money.Price{Msat: 3_600_000, Per: instant.Hour}, DebtPaid: 3_600_000,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBooks(t, test.events...)
			r, err := receipt.Parse(b.issue(state).String())
			if err != nil {
				t.Fatal(err)
			}
			c, lines, err := r.Verify(b.policy)
			if err != nil || c.Size != b.signed || len(lines) != 1 || lines[0].At != at {
				t.Errorf("%+v, %+v, %v", c, lines, err)
			}
			test.want.Payment, test.want.At, test.want.Recorded = string(paidKey), at, b.recs[r.Index].RecordedAt
			if got, err := r.Says(); err != nil || got != test.want {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

// TestAChangedReceiptProvesNothing changes whatever there is of one, at 100 places in each of some ways.
func TestAChangedReceiptProvesNothing(t *testing.T) {
	b := newBooks(t, fact{"resource-web-1", credited})
	whole := b.issue(state).String()
	form := proof.AppendForm(nil, &b.recs[40], b.recs[40].RecordedAt)
	random := mathrand.New(mathrand.NewPCG(1, 2))
	pick := func(n int) int { return random.IntN(n) }
	lines := strings.SplitAfter(whole, "\n")
	for _, test := range []struct {
		name   string
		change func() string
	}{
		{"a bit", func() string { s := []byte(whole); s[pick(len(s))] ^= 1 << pick(7); return string(s) }},
		{"cut", func() string { return whole[:pick(len(whole))] }},
		{"a byte", func() string { i := pick(len(whole)); return whole[:i] + string(rune(pick(128))) + whole[i:] }},
		{"a line dropped", func() string {
			i := pick(len(lines) - 2) // the line of a witness is the last
			return strings.Join(append(append([]string{}, lines[:i]...), lines[i+1:]...), "")
		}},
		{"a line twice", func() string {
			i := pick(len(lines) - 4) // signatures may stand twice
			return strings.Join(append(append([]string{}, lines[:i+1]...), lines[i:]...), "")
		}},
		{"another event", func() string {
			changed := bytes.Clone(form)
			changed[pick(len(form))] ^= byte(1 + pick(255))
			return strings.Replace(whole, base64.StdEncoding.EncodeToString(form), base64.StdEncoding.EncodeToString(changed), 1)
		}},
		{"another index", func() string {
			i := pick(int(b.signed) * 2)
			if i == 40 {
				i++
			}
			return strings.Replace(whole, "index 40\n", fmt.Sprintf("index %d\n", i), 1)
		}},
	} {
		for range 100 {
			text := test.change()
			r, err := receipt.Parse(text)
			if err == nil {
				_, _, err = r.Verify(b.policy)
			}
			if err == nil && text != whole {
				t.Fatalf("%s: it verifies:\n%s", test.name, text)
			}
		}
	}
}

func TestWhatIsNoReceipt(t *testing.T) {
	b := newBooks(t, fact{"resource-web-1", credited})
	whole := b.issue(state).String()
	extra := whole[strings.Index(whole, "extra ") : strings.Index(whole, "\nindex ")+1]
	for name, text := range map[string]string{
		"nothing":          "",
		"another version":  strings.Replace(whole, "@v1", "@v2", 1),
		"no event":         strings.Replace(whole, extra, "", 1),
		"an event of none": strings.Replace(whole, extra, "extra AAAA\n", 1),
		"index 0040":       strings.Replace(whole, "index 40", "index 0040", 1),
		"index -1":         strings.Replace(whole, "index 40", "index -1", 1),
		"a short hash":     strings.Replace(whole, "index 40\n", "index 40\nAAAA\n", 1),
		"64 hashes":        strings.Replace(whole, "index 40\n", "index 40\n"+strings.Repeat(proof.Hash{}.String()+"\n", 64), 1),
		"no checkpoint":    whole[:strings.Index(whole, "\n\n")+2],
		"no base64":        strings.TrimSuffix(whole, "=\n") + "\n",
		"CR":               strings.ReplaceAll(whole, "\n", "\r\n"),
		"too long":         whole + strings.Repeat("x", int(receipt.Max)),
	} {
		if r, err := receipt.Parse(text); !errors.Is(err, receipt.ErrMalformed) {
			t.Errorf("%s is %+v, %v", name, r, err)
		}
	}
}

func TestWhoIsNotTrusted(t *testing.T) {
	b := newBooks(t, fact{"resource-web-1", credited})
	key, err := checkpoint.NewKey(mathrand.NewChaCha8([32]byte{2}))
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := key.VKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := cosign.NewPolicy(vkey, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := b.issue(state)
	if _, _, err := r.Verify(stranger); !errors.Is(err, checkpoint.ErrUnsigned) {
		t.Errorf("by another key: %v", err)
	}
	b.cosign = nil
	r = b.issue(state)
	if _, _, err := r.Verify(b.policy); !errors.Is(err, cosign.ErrQuorum) {
		t.Errorf("without the witness: %v", err)
	}
	alone, err := cosign.NewPolicy(b.vkey, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Verify(alone); err != nil {
		t.Errorf("by the log alone: %v", err)
	}
	of := *r
	of.Record = b.recs[10]
	if _, err := of.Says(); !errors.Is(err, receipt.ErrMalformed) {
		t.Errorf("a toy says %v", err)
	}
}

func TestWhereThereIsNoReceipt(t *testing.T) {
	b := newBooks(t, fact{"resource-web-1", credited})
	whole := b.recs
	for name, test := range map[string]struct {
		want   error
		change func(*payment.State)
	}{
		"of another":         {receipt.ErrNone, func(p *payment.State) { p.Key = "ln-02" }},
		"of no resource":     {receipt.ErrNone, func(p *payment.State) { p.Resource = "" }},
		"before it":          {receipt.ErrNotYet, func(*payment.State) { b.signed = 40 }},
		"nothing is signed":  {receipt.ErrNotYet, func(*payment.State) { b.signed = -1 }},
		"the tree is behind": {receipt.ErrNotYet, func(*payment.State) { b.recs = b.recs[:40] }},
		"another root":       {receipt.ErrUnproven, func(*payment.State) { b.root = &proof.Hash{1} }},
	} {
		p, was, all := state, b.signed, b.recs
		test.change(&p)
		if r, err := b.issuer.Issue(t.Context(), &p); !errors.Is(err, test.want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		b.signed, b.recs, b.root = was, all, nil
	}
	b.recs, b.issuer.Stopped = b.recs[:40], func() bool { return true }
	if r, err := b.issuer.Issue(t.Context(), &state); !errors.Is(err, receipt.ErrUnproven) || errors.Is(err, receipt.ErrNotYet) {
		t.Errorf("the log is shorter than was signed, and nothing more is: %+v, %v", r, err)
	}
	b.recs = whole
	b.signed = 41
	if _, _, err := b.issue(state).Verify(b.policy); err != nil {
		t.Error(err)
	}
	failing := *b.issuer
	failing.Store = &storetest.Faulty{EventStore: b.store}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := failing.Issue(ctx, &state); !errors.Is(err, context.Canceled) {
		t.Errorf("broken off: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 1\n\nshop\n1\nAAAA\n")
	r := stream.Record{Event: stream.Event{Type: "toy.played.v1", Data: []byte("{}")}, Stream: "toy-1"}
	f.Add((&receipt.Receipt{Record: r, Index: 3, Proof: tlog.RecordProof{{1}}, Note: []byte("shop\n4\n")}).String())
	f.Fuzz(func(t *testing.T, text string) {
		r, err := receipt.Parse(text)
		if err != nil {
			return
		}
		if r.String() != text {
			t.Errorf("%q is written as %q", text, r.String())
		}
		_, _ = r.Says()
	})
}
