package httpapi_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/client"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/receipt"
	"sandglass/domain/stream"

	"golang.org/x/mod/sumdb/tlog"
)

// signedLog is the tree of a shop's log, and a checkpoint of it as it was when sign was called.
type signedLog struct {
	t      *testing.T
	key    *checkpoint.Key
	store  stream.EventStore
	signed checkpoint.Checkpoint
}

// all returns the records of the log, and the hashes of its tree.
func (l *signedLog) all() (recs []stream.Record, hashes hashes) {
	head, err := l.store.Head(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	var hasher proof.Hasher
	for r, err := range stream.Between(context.Background(), l.store, 0, head) {
		if err != nil {
			l.t.Fatal(err)
		}
		entry := hasher.Add(&r)
		more, err := tlog.StoredHashes(int64(len(recs)), entry[:], hashes)
		if err != nil {
			l.t.Fatal(err)
		}
		r.RecordedAt = hasher.Recorded
		recs, hashes = append(recs, r), append(hashes, more...)
	}
	return recs, hashes
}

type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, n := range indexes {
		out[i] = h[n]
	}
	return out, nil
}

func (l *signedLog) IndexOf(_ context.Context, name string, rev stream.Revision) (int64, stream.Record, error) {
	recs, _ := l.all()
	for i, r := range recs {
		if r.Stream == name && r.Revision == rev {
			return int64(i), r, nil
		}
	}
	return 0, stream.Record{}, receipt.ErrNotYet
}

func (l *signedLog) Inclusion(_ context.Context, index, size int64) (tlog.RecordProof, error) {
	_, hashes := l.all()
	return tlog.ProveRecord(size, index, hashes)
}

// sign signs the log as it is.
func (l *signedLog) sign() {
	recs, hashes := l.all()
	root, err := tlog.TreeHash(int64(len(recs)), hashes)
	if err != nil {
		l.t.Fatal(err)
	}
	l.signed = checkpoint.Checkpoint{Origin: "shop.example.org/log", Size: int64(len(recs)), Root: root}
}

func (l *signedLog) best() (c checkpoint.Checkpoint, note []byte, ok bool) {
	if l.signed.Size == 0 {
		return c, nil, false
	}
	note, err := checkpoint.Sign(l.signed, l.key)
	if err != nil {
		l.t.Error(err)
	}
	return l.signed, note, true
}

// openSigned returns a shop whose log can be signed.
func openSigned(t *testing.T) (*shop, *signedLog) {
	t.Helper()
	key, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	l := &signedLog{t: t, key: key}
	return open(t, func(o *httpapi.Options) {
		l.store = o.Store
		o.Receipts = &receipt.Issuer{Store: o.Store, Tree: l, Best: l.best}
	}), l
}

func TestAReceiptIsForWhoKnowsTheResource(t *testing.T) {
	s, l := openSigned(t)
	o := s.running("web-1")
	l.sign()
	path := "/v1/payments/" + o.Payment.Key + "/receipt"
	for _, refused := range []struct{ query, header string }{
		{"", "X: y"}, {"?resource=web-2", bearer(operatorToken)}, {"?resource=", "X: y"}, {"", bearer("another-key-of-a-holder")},
	} {
		if got := s.send("GET", path+refused.query, "", refused.header); got.status != 404 || got.problem.Code != "unknown_payment" {
			t.Errorf("%+v: %d %s", refused, got.status, got.body)
		}
	}
	if got := s.send("GET", "/v1/payments/ln-00/receipt?resource=web-1", ""); got.status != 404 {
		t.Errorf("of no payment: %d %s", got.status, got.body)
	}
	whole, err := s.client("").Receipt(t.Context(), "web-1", o.Payment.Key)
	s.must(err)
	for _, header := range []string{bearer(o.HolderKey), bearer(operatorToken), bearer(auditorToken)} {
		got := s.send("GET", path, "", header)
		if got.status != 200 || got.body != whole || got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %s", header, got.status, got.body)
		}
	}
	vkey, err := l.key.VKey(l.signed.Origin)
	s.must(err)
	policy, err := cosign.NewPolicy(vkey, 0)
	s.must(err)
	r, err := receipt.Parse(whole)
	s.must(err)
	if _, _, err := r.Verify(policy); err != nil {
		t.Error(err)
	}
	said, err := r.Says()
	if err != nil || said.What != receipt.Credited || said.Payment != o.Payment.Key || said.Resource != "web-1" ||
		said.Amount != o.Payment.Asked || said.Time != 2*instant.Hour {
		t.Errorf("it says %+v, %v", said, err)
	}
}

func TestAReceiptHasToBeSigned(t *testing.T) {
	s, l := openSigned(t)
	first := s.running("web-1")
	receiptOf := func(id, key string) (string, string) {
		text, err := s.client("").Receipt(t.Context(), id, key)
		if p := (*client.Problem)(nil); err != nil {
			p, _ = err.(*client.Problem)
			if (p.RetryAfter > 0) != (p.Status == 503) {
				t.Errorf("%d is to be tried again after %s", p.Status, p.RetryAfter)
			}
		}
		return text, client.Code(err)
	}
	if _, code := receiptOf("web-1", first.Payment.Key); code != "not_signed_yet" {
		t.Errorf("nothing is signed: %q", code)
	}
	l.sign()
	if _, code := receiptOf("web-1", first.Payment.Key); code != "" {
		t.Errorf("it is signed: %q", code)
	}
	open := s.order("web-2")
	if _, code := receiptOf("web-2", open.Payment.Key); code != "no_receipt" {
		t.Errorf("nobody paid: %q", code)
	}
	s.settle(open.Payment.Key, open.Payment.Asked)
	if _, code := receiptOf("web-2", open.Payment.Key); code != "not_signed_yet" {
		t.Errorf("it is newer than the checkpoint: %q", code)
	}
	l.signed.Root[0] ^= 1
	if _, code := receiptOf("web-1", first.Payment.Key); code != "log_changed" {
		t.Errorf("the log is another: %q", code)
	}
	l.sign()
	_, err := s.client(operatorToken).Release(t.Context(), "web-1")
	s.must(err)
	s.book("ln-0abc", payment.Settle{At: s.clock.Now(), Amount: 5_000_000, Via: payment.ViaKeysend, Resource: "web-1"})
	l.sign()
	text, code := receiptOf("web-1", "ln-0abc")
	if code != "" {
		t.Fatalf("it was not credited: %q", code)
	}
	r, err := receipt.Parse(text)
	s.must(err)
	said, err := r.Says()
	if err != nil || said.What != receipt.Unallocated || said.Payment != "ln-0abc" || said.Reason != "released" {
		t.Errorf("it says %+v, %v", said, err)
	}
}

func TestWithoutASignerThereAreNoReceipts(t *testing.T) {
	s := open(t, nil)
	o := s.running("web-1")
	if _, err := s.client("").Receipt(t.Context(), "web-1", o.Payment.Key); client.Code(err) != "not_signed_yet" {
		t.Error(err)
	}
}
