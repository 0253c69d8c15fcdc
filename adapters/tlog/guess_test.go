package tlog_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/receipt"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

const (
	noon     instant.Time = 1_795_000_000_000
	paidKey               = payment.Key("ln-00ff")
	customer              = "web-314" // the resource that it was for, which nobody else is to know
)

// unsalted is a store as earlier builds write to it.
type unsalted struct{ stream.EventStore }

func (u unsalted) Append(
	ctx context.Context, name string, expected stream.Revision, events []stream.Event,
) (stream.Appended, error) {
	events = slices.Clone(events)
	for i := range events {
		events[i].Meta = plain(events[i].Meta)
	}
	return u.EventStore.Append(ctx, name, expected, events)
}

// plain returns metadata without their salt.
func plain(meta []byte) []byte { return resalted(meta, [16]byte{}) }

// resalted returns metadata with another salt.
func resalted(meta []byte, salt [16]byte) []byte {
	m, err := (&stream.Record{Event: stream.Event{Meta: meta}}).Metadata()
	if err != nil {
		panic(err)
	}
	m.Salt = salt
	return codec.Encode(&m)
}

// sells has a resource opened and paid, as the watcher writes it, and returns the log.
func sells(t *testing.T, store stream.EventStore) (recs []stream.Record) {
	t.Helper()
	b := &payment.Booker{
		Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: store},
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: store},
		Now:       func() instant.Time { return noon },
	}
	_, err := b.Resources.Execute(t.Context(), customer, watch.Meta, resource.Open{
		When:  resource.When{At: noon},
		Order: resource.Order{Plan: "small", Terms: resource.Terms{Price: money.Price{Msat: 1, Per: 1}, Grace: instant.Day}},
	})
	if err == nil {
		_, err = b.Book(t.Context(), watch.Meta, paidKey, payment.Settle{
			At: noon, Amount: 5000, Via: payment.ViaKeysend, Resource: customer,
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(wholelog.Records(t, store))
}

// entries returns those of the log if the resource were that of an id, by who knows everything else: metadata too, but as
// known has them.
func entries(recs []stream.Record, id string, known func([]byte) []byte) (entries []proof.Hash) {
	guess := strings.NewReplacer(customer, id)
	ids := map[string]string{} // of causes
	var h proof.Hasher
	for _, r := range recs {
		was := r.ID
		r.Stream, r.Data = guess.Replace(r.Stream), []byte(guess.Replace(string(r.Data)))
		if r.ID = stream.NewID(r.Stream, r.Revision, r.Event); was[6]>>4 == 8 {
			r.ID = stream.NewAttemptID(stream.Attempt(was[:8]), r.Stream, r.Revision, r.Event)
		}
		ids[was.String()] = r.ID.String()
		m, err := r.Metadata()
		if err != nil {
			panic(err)
		}
		if m.Causation != "" {
			m.Causation = ids[m.Causation]
		}
		r.Meta = known(codec.Encode(&m))
		entries = append(entries, h.Add(&r))
	}
	return entries
}

// shown returns all hashes of a log that are shown for a token: as tiles, as entries, and in checkpoints from the first
// on, which was of so many events.
func (s *shop) shown(token string, first int64) map[proof.Hash]bool {
	s.t.Helper()
	shown := map[proof.Hash]bool{}
	for width := range s.status.Latest.Size {
		if width+1 >= first {
			root, err := s.tree.Root(s.t.Context(), width+1)
			if err != nil {
				s.t.Fatal(err)
			}
			shown[root] = true
		}
		for _, path := range []string{"tile/0/000", "tile/entries/000"} {
			w := s.getBy(fmt.Sprintf("/log/0/%s.p/%d", path, width+1), token)
			for b := w.Body.Bytes(); w.Code == 200 && len(b) > 0; b = b[32:] {
				if strings.Contains(path, "entries") {
					if binary.BigEndian.Uint16(b) != 32 {
						s.t.Fatalf("an entry of %x", b)
					}
					b = b[2:]
				}
				shown[proof.Hash(b)] = true
			}
		}
	}
	return shown
}

// TestNobodyFindsByGuessing: who knows all of a payment but the resource that it was for, and has all that anybody is
// shown of the log, tries ids. None fits, the right one neither; of a log without salts it does for auditors alone.
func TestNobodyFindsByGuessing(t *testing.T) {
	told := func(meta []byte) []byte { return meta }
	for _, test := range []struct {
		what   string
		former bool // the log is of a build without salts
		token  string
		knows  func(meta []byte) []byte
		found  string // ids that fit
	}{
		{"anybody", false, "", plain, "[]"},
		{"an auditor who has read no event", false, auditor, plain, "[]"},
		{"who was told the salts", false, "", told, "[web-314]"}, // so it is they that keep the rest from it
		{"anybody, of a log of before", true, "", plain, "[]"},
		{"an auditor, of a log of before", true, auditor, plain, "[web-314]"},
	} {
		store, _ := storetest.SQLite(t)
		var to stream.EventStore = store
		if test.former {
			to = unsalted{store}
		}
		recs := sells(t, to)
		first := 1
		if test.former { // to sign a log is to append to it: so the end that is signed has a salt
			first += len(recs)
			fill(t, store, 1, salted)
		}
		s := newShopOf(t, store, max(first, len(recs)))
		shown := s.shown(test.token, int64(first))
		found := []string{}
		for i := range 1000 {
			id := fmt.Sprint("web-", i)
			if slices.ContainsFunc(entries(recs, id, test.knows), func(e proof.Hash) bool { return shown[e] || shown[proof.Leaf(e)] }) {
				found = append(found, id)
			}
		}
		if got := fmt.Sprint(found); got != test.found {
			t.Errorf("%s finds %s, want %s", test.what, got, test.found)
		}
	}
}

// TestAReceiptTellsNothingOfItsNeighbours: who has one, and knows all that the events beside it say, can't even find out that
// they are those; also not by its own salt, though they were written together.
func TestAReceiptTellsNothingOfItsNeighbours(t *testing.T) {
	store, _ := storetest.SQLite(t)
	recs := sells(t, store)
	s := newShopOf(t, store, len(recs))
	issuer := receipt.Issuer{Store: store, Tree: s.tree, Best: func() (checkpoint.Checkpoint, []byte, bool) {
		return s.status.Latest, s.status.Note, true
	}}
	r, err := issuer.Issue(t.Context(), &payment.State{Key: paidKey, Resource: customer})
	if err != nil {
		t.Fatal(err)
	}
	own, err := r.Record.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		knows func([]byte) []byte
		fits  bool
	}{
		"no salt":         {plain, false},
		"its own":         {func(meta []byte) []byte { return resalted(meta, own.Salt) }, false},
		"those of theirs": {func(meta []byte) []byte { return meta }, true}, // they are what the proof is made of
	} {
		fits := false
		for i, e := range entries(recs, customer, test.knows) {
			fits = fits || int64(i) != r.Index && slices.Contains(r.Proof, proof.Leaf(e))
		}
		if fits != test.fits {
			t.Errorf("with %s: %v", what, fits)
		}
	}
}
