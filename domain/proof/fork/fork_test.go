package fork_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/fork"
	"sandglass/domain/stream"
	"sandglass/testutil/given"
	"sandglass/testutil/golden"
)

const base = "shop.example.org/log"

func key(seed byte) *checkpoint.Key {
	k, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		panic(err)
	}
	return k
}

func vkey(k *checkpoint.Key, origin string) string {
	v, err := k.VKey(origin)
	if err != nil {
		panic(err)
	}
	return v
}

const second = base + "/fork/1/19700101T000000.200Z"

var (
	opened = &fork.Opened{At: stream.At{At: 100}, Origin: base, VKey: vkey(key(1), base), Size: 7}
	left   = func() string {
		msg, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: base, Size: 9, Root: [32]byte{9}}, key(1))
		if err != nil {
			panic(err)
		}
		return string(msg)
	}()
	forked = &fork.Forked{
		At: stream.At{At: 200}, Fork: 1, Reason: "a backup was restored", Origin: second, VKey: vkey(key(1), second),
		Size: 8, Root: [32]byte{8}, Left: left,
	}
)

func leave() fork.Leave {
	return fork.Leave{At: 200, Base: base, Key: key(1), Reason: " a backup was restored\n", Size: 8, Root: [32]byte{8}, Left: left}
}

func TestDecide(t *testing.T) {
	type events = []fork.Event
	s := given.Of(fork.Aggregate(), fork.ID)
	open := fork.Open{At: 100, Name: base, Key: key(1), Size: 7}
	s.Check(t, "it is opened", nil, open, events{opened}, nil)
	s.Check(t, "once, and by whoever is first", events{opened}, fork.Open{At: 100, Name: "x", Key: key(2)}, nil, nil)
	s.Check(t, "a bad name", nil, fork.Open{Name: "a b", Key: key(1)}, nil, fork.ErrInvalid)
	s.Check(t, "below 0", nil, fork.Open{Name: base, Key: key(1), Size: -1}, nil, fork.ErrInvalid)
	refused := func(name string, err error, edit func(*fork.Leave)) {
		c := leave()
		edit(&c)
		s.Check(t, name, events{opened}, c, nil, err)
	}
	refused("without a reason", fork.ErrInvalid, func(c *fork.Leave) { c.Reason = " \n" })
	refused("a long reason", fork.ErrInvalid, func(c *fork.Leave) { c.Reason = strings.Repeat("a", fork.MaxReason+1) })
	refused("no text", fork.ErrInvalid, func(c *fork.Leave) { c.Reason = "\xff" })
	refused("a size below 0", fork.ErrInvalid, func(c *fork.Leave) { c.Size = -1 })
	refused("a bad base", fork.ErrInvalid, func(c *fork.Leave) { c.Base = "a b" })
	refused("another fork was seen", fork.ErrMoved, func(c *fork.Leave) { c.From = 1 })
	refused("none was seen", fork.ErrMoved, func(c *fork.Leave) { c.From = fork.Unopened })
}

// decide returns what follows from the events and a command: it must be one event.
func decide(t *testing.T, c fork.Command, events ...fork.Event) fork.Event {
	t.Helper()
	got, err := fork.Decide(given.Of(fork.Aggregate(), fork.ID).Fold(events...), c)
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	return got[0]
}

func TestForks(t *testing.T) {
	if got := decide(t, leave(), opened).(*fork.Forked); *got != *forked {
		t.Errorf("%+v, want %+v", got, forked)
	}
	lost := leave()
	lost.From, lost.Least, lost.At = fork.Unopened, 4, 100
	if got := decide(t, lost).(*fork.Forked); got.Fork != 4 || got.Origin != base+"/fork/4/19700101T000000.100Z" {
		t.Errorf("of a log that does not know any more that it was opened: %+v", got)
	}
	early := leave()
	early.At, early.From = 50, 1
	if got := decide(t, early, opened, forked).(*fork.Forked); got.Fork != 2 || got.At.At != 200 {
		t.Errorf("a clock that went back: %+v", got)
	}
	s := given.Of(fork.Aggregate(), fork.ID).Fold(opened, forked)
	if now, ok := s.Now(); !ok || now.Number != 1 || now.Origin != second || now.Reason != forked.Reason || now.Gone != base {
		t.Errorf("%+v", now)
	}
	for origin, want := range map[string][2]bool{base: {true, true}, second: {false, true}, "other": {false, false}} {
		if left, ok := s.Left(origin); left != want[0] || ok != want[1] {
			t.Errorf("%s: left behind %v, known %v", origin, left, ok)
		}
	}
}

func TestOrigins(t *testing.T) {
	for origin, want := range map[string]int64{base: 0, second: 1, fork.Origin(base, 17, 5): 17} {
		if b, n := fork.Base(origin); b != base || n != want {
			t.Errorf("%s: %s, %d", origin, b, n)
		}
	}
	for _, origin := range []string{"a/fork/", "a/fork/x/y", "a/fork/-1/x", "a/fork/3"} {
		if b, n := fork.Base(origin); b != origin || n != 0 {
			t.Errorf("%s: %s, %d", origin, b, n)
		}
	}
}

func TestGoldenFiles(t *testing.T) { codec.Check(t, opened, forked) }

var codec = golden.Codec[fork.Event]{Decode: fork.Decode}

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	codec.Refuses(t, "log.opened.v2", "{}")
	codec.Refuses(t, "log.opened.v1", `{"origin":"a"}`)
	codec.Refuses(t, "log.forked.v1", `{}`)
	codec.Refuses(t, "", "")
}

func FuzzDecode(f *testing.F) { codec.Fuzz(f) }
