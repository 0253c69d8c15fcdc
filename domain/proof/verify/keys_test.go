package verify_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"sandglass/adapters/tilefiles"
	"sandglass/domain/instant"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/signing"
	"sandglass/domain/proof/verify"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/histories"
	"sandglass/testutil/storetest"
)

// ledger is a store with all that a signer needs of it.
type ledger interface {
	stream.EventStore
	checkpoint.Store
}

// copied is the copy of the latest checkpoint beside it.
type copied struct{ note []byte }

func (c *copied) Load() ([]byte, error)  { return c.note, nil }
func (c *copied) Save(note []byte) error { c.note = note; return nil }

// owned is a log that is signed.
type owned struct {
	t      *testing.T
	store  ledger
	tree   *follow.Log
	copy   *copied
	key    *checkpoint.Key
	vkey   string
	policy *cosign.Policy
	good   signing.Status
}

const owner = "shop.example.org/log"

func newKey(seed uint64) *checkpoint.Key {
	k, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1}))
	if err != nil {
		panic(err)
	}
	return k
}

// own has a log of a store signed.
func own(t *testing.T, store ledger) *owned {
	t.Helper()
	o := &owned{t: t, store: store, copy: new(copied), key: newKey(0)}
	for w, n := histories.New(5, 20), 0; n < 300; {
		for _, a := range w.Step() {
			_, err := store.Append(t.Context(), a.Stream, a.Expected, a.Events)
			must(t, err)
			n += len(a.Events)
		}
	}
	files := tilefiles.New(t.TempDir())
	o.tree = follow.New(store, files)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.tree.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, files.Close()); err != nil {
			t.Error(err)
		}
	})
	var err error
	o.vkey, err = o.key.VKey(owner)
	must(t, err)
	o.policy, err = cosign.NewPolicy(o.vkey, 0)
	must(t, err)
	if o.good = o.look(o.key); o.good.Note == nil || o.good.Alarm != signing.None {
		t.Fatalf("it is not signed: %+v", o.good)
	}
	return o
}

// look has a daemon with a key look at the log.
func (o *owned) look(key *checkpoint.Key) signing.Status {
	o.t.Helper()
	s := signing.New(signing.Config{
		Tree: o.tree, Store: o.store, Copy: o.copy, Key: key, Origin: owner,
		Forks: &fork.Handler{Aggregate: fork.Aggregate(), Store: o.store},
		Now:   func() instant.Time { return histories.Start },
	})
	s.Look(o.t.Context())
	st := s.Status()
	must(o.t, st.Err)
	return st
}

// swap puts a checkpoint in the place of the store's own, as who can write there does.
func (o *owned) swap(note []byte) {
	o.t.Helper()
	_, version, err := o.store.Checkpoint(o.t.Context())
	must(o.t, err)
	must(o.t, o.store.SwapCheckpoint(o.t.Context(), version, note))
}

// own returns what the store has.
func (o *owned) own() []byte {
	o.t.Helper()
	note, _, err := o.store.Checkpoint(o.t.Context())
	must(o.t, err)
	return note
}

// forged returns a checkpoint of the log's name by another key: of what the log was, or of something else.
func (o *owned) forged(rng *rand.Rand, thief *checkpoint.Key) []byte {
	o.t.Helper()
	c := o.good.Latest
	if rng.IntN(2) == 0 {
		c.Size = 1 + rng.Int64N(2*c.Size)
		copy(c.Root[:], flip(rng, c.Root[:]))
	}
	note, err := checkpoint.Sign(c, thief)
	must(o.t, err)
	return note
}

// refused holds that whoever trusts the log's key trusts no such checkpoint, wherever it is found.
func (o *owned) refused(seed uint64, note []byte) {
	o.t.Helper()
	for _, trust := range []verify.Trust{{Keys: []string{o.vkey}}, {Policy: o.policy}} {
		_, err1 := trust.Own(note)
		_, err2 := trust.Expect("a mail", note)
		for _, err := range []error{err1, err2} {
			if err == nil || !errors.Is(err, checkpoint.ErrUnsigned) ||
				!strings.Contains(err.Error(), "of "+owner+": none of the keys that were given signed it") {
				o.t.Errorf("seed %d: of another's checkpoint it is told %v", seed, err)
			}
		}
	}
}

// TestEachChangeOfAKey: another key than the log's, of the same name, is named by who verifies and by who signs, in
// whichever store: be it in log.key, or behind what the store, the state folder or somebody else has for a checkpoint.
func TestEachChangeOfAKey(t *testing.T) {
	file, _ := storetest.SQLite(t)
	for name, store := range map[string]ledger{
		"a file": file, "a cluster": shared(t, esdbserver.New(t, esdbserver.Options{}), "sandglass"),
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, store)
			for seed := range uint64(*times) {
				rng := rand.New(rand.NewPCG(seed, 13))
				thief := newKey(1 + seed)
				forged := o.forged(rng, thief)
				o.refused(seed, forged)
				alarmed := func(what string, key *checkpoint.Key, want signing.Alarm, words string) {
					t.Helper()
					before, copy := string(o.own()), string(o.copy.note)
					s := o.look(key)
					if s.Alarm != want || !strings.Contains(s.Detail, words) {
						t.Errorf("seed %d: %s: the alarm is %q, %q, want %q, %q", seed, what, s.Alarm, s.Detail, want, words)
					}
					if string(o.own()) != before || string(o.copy.note) != copy {
						t.Errorf("seed %d: %s: something is signed", seed, what)
					}
				}
				alarmed("log.key", thief, signing.OtherKey, o.vkey)
				o.copy.note = forged
				alarmed("the copy", o.key, signing.Foreign, "the copy in the state folder has was not signed by the key of the log")
				alarmed("log.key and the copy", thief, signing.Foreign, "was not signed by the key of the log")
				o.copy.note = o.good.Note
				o.swap(forged)
				alarmed("the store", o.key, signing.Foreign, "the store has was not signed by the key of the log")
				alarmed("log.key and the store", thief, signing.Foreign, "was not signed by the key of the log")
				o.refused(seed, o.own())
				o.swap(o.good.Note)
				if s := o.look(o.key); s.Alarm != signing.None || string(s.Note) != string(o.good.Note) {
					t.Fatalf("seed %d: what is put back is %+v", seed, s)
				}
			}
			r := verified(t, store, &verify.Log{Checkpoints: []verify.Expected{o.expected()}})
			if root := proof.Hash(o.good.Latest.Root); r.Count != 0 || r.Root != root {
				t.Errorf("in the end it is %+v, want the root %s", r, root)
			}
		})
	}
}

// expected returns what the log itself has to be held against.
func (o *owned) expected() verify.Expected {
	o.t.Helper()
	e, err := (&verify.Trust{Keys: []string{o.vkey}}).Own(o.own())
	must(o.t, err)
	return e
}
