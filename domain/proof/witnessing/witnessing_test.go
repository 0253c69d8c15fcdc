package witnessing_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/signing"
	"sandglass/domain/proof/witnessing"
	"sandglass/domain/watch"
	"sandglass/testutil/fakewitness"

	"golang.org/x/mod/sumdb/tlog"
)

const origin = "shop.example.org/log"

func now() instant.Time { return instant.Of(time.Now()) }

// log is a log that grows and is signed, in memory.
type log struct {
	t      *testing.T
	key    *checkpoint.Key
	mu     sync.Mutex
	hashes []tlog.Hash
	size   int64
	status signing.Status
	looked chan struct{}
	copied []byte
	fail   error
}

func newLog(t *testing.T) *log {
	k, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	l := &log{t: t, key: k, looked: make(chan struct{})}
	l.status.Forks = []fork.One{{Origin: origin, VKey: l.vkey(origin)}}
	return l
}

func (l *log) vkey(origin string) string {
	v, err := l.key.VKey(origin)
	if err != nil {
		l.t.Fatal(err)
	}
	return v
}

func (l *log) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, l.hashes[i])
		}
		return out, nil
	})
}

// grow adds an event that says something, and has the log signed.
func (l *log) grow(says string) checkpoint.Checkpoint {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	more, err := tlog.StoredHashes(l.size, []byte(says), l.reader())
	if err != nil {
		l.t.Fatal(err)
	}
	l.hashes = append(l.hashes, more...)
	l.size++
	l.sign()
	return l.status.Latest
}

// sign signs the log as it is.
func (l *log) sign() {
	root, err := tlog.TreeHash(l.size, l.reader())
	if err != nil {
		l.t.Fatal(err)
	}
	c := checkpoint.Checkpoint{Origin: l.status.Forks[len(l.status.Forks)-1].Origin, Size: l.size, Root: root}
	msg, err := checkpoint.Sign(c, l.key)
	if err != nil {
		l.t.Fatal(err)
	}
	l.status.Latest, l.status.Note, l.status.Size = c, msg, l.size
	close(l.looked)
	l.looked = make(chan struct{})
}

// fork signs the log under another name.
func (l *log) fork(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Forks = append(l.status.Forks[:1:1], fork.One{Number: 1, Origin: name, VKey: l.vkey(name)})
	l.sign()
}

func (l *log) Status() signing.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

func (l *log) Looked() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looked
}

func (l *log) Consistency(_ context.Context, old, size int64) (tlog.TreeProof, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tlog.ProveTree(size, old, l.reader())
}

func (l *log) Load() ([]byte, error) { return l.copied, nil }
func (l *log) Save(msg []byte) error {
	if l.fail == nil {
		l.copied = msg
	}
	return l.fail
}

// shop is a log with its witnesses.
type shop struct {
	*log
	witnesses []*fakewitness.Witness
	*witnessing.Collector
	told []witnessing.Status
	mu   sync.Mutex
	lost []error
	stop func()
}

// open returns a shop with witnesses that know its log.
func open(t *testing.T, l *log, quorum int, names ...string) *shop {
	s := &shop{log: l}
	for _, name := range names {
		w := fakewitness.New(name, now)
		w.Know(origin, l.vkey(origin))
		s.witnesses = append(s.witnesses, w)
	}
	s.start(quorum)
	return s
}

func (s *shop) start(quorum int) {
	c := witnessing.Config{Signer: s.log, Tree: s.log, Quorum: quorum, Copy: s.log, Now: now,
		Retry: watch.Retry{Min: time.Second, Max: 10 * time.Minute}}
	for _, w := range s.witnesses {
		c.Witnesses = append(c.Witnesses, witnessing.Named{Witness: w.Key, Client: w})
	}
	c.Told = func(st witnessing.Status) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told = append(s.told, st)
	}
	c.Unkept = func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lost = append(s.lost, err)
	}
	co, err := witnessing.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Collector = co
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- co.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}
}

// holds holds what is shown of a log against what it should be, by somebody who trusts all the witnesses.
func (s *shop) holds(what string, size int64, lines int) {
	s.t.Helper()
	synctest.Wait()
	var keys []*cosign.Witness
	for _, w := range s.witnesses {
		keys = append(keys, w.Key)
	}
	p, err := cosign.NewPolicy(s.log.vkey(s.log.Status().Latest.Origin), 0, keys...)
	if err != nil {
		s.t.Fatal(err)
	}
	c, got, err := p.Open(s.Note())
	if err != nil || c.Size != size || len(got) != lines {
		s.t.Errorf("%s: shown are %d events with %d lines, want %d with %d: %v", what, c.Size, len(got), size, lines, err)
	}
}

// is holds that a witness is in a state.
func (s *shop) is(what string, n int, want witnessing.State) witnessing.Status {
	s.t.Helper()
	synctest.Wait()
	got := s.Statuses()[n]
	if got.State != want {
		s.t.Errorf("%s: the witness is %+v, want it %s", what, got, want)
	}
	return got
}

func TestEachCheckpointIsCosigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newLog(t), 2, "w/1", "w/2", "w/3")
		defer s.stop()
		s.is("before there is a checkpoint", 0, witnessing.Waiting)
		for i := range int64(20) {
			s.grow("event")
			s.holds("grown", i+1, 3)
			if _, msg, ok := s.Best(); !ok || !bytes.Equal(msg, s.Note()) || !bytes.Equal(msg, s.copied) {
				t.Errorf("the best is %s, %v, kept is %s", msg, ok, s.copied)
			}
		}
		if n := s.witnesses[0].Asked(); n != 20 {
			t.Errorf("asked %d times for 20", n)
		}
	})
}

func TestWitnessesThatAreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newLog(t), 2, "w/1", "w/2", "w/3")
		defer s.stop()
		hang := func(ctx context.Context, _ witnessing.Request, _ []byte, _ error) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		down := func(context.Context, witnessing.Request, []byte, error) ([]byte, error) {
			return nil, errors.New("no route")
		}
		s.witnesses[0].Misbehave(hang)
		s.grow("one hangs")
		s.holds("one hangs", 1, 2)
		s.witnesses[1].Misbehave(down)
		s.grow("one is down")
		s.holds("too few, for now", 1, 2)
		s.is("one is down", 1, witnessing.Failing)
		time.Sleep(time.Minute)
		s.holds("too few for a minute", 2, 1)
		before := s.witnesses[1].Asked()
		time.Sleep(24 * time.Hour)
		if n := s.witnesses[1].Asked() - before; n < 100 || n > 300 {
			t.Errorf("asked %d times in a day in which it is down", n)
		}
		s.witnesses[1].Misbehave(nil)
		time.Sleep(10 * time.Minute)
		s.holds("it is back", 2, 2)
		s.is("it is back", 1, witnessing.Cosigned)
	})
}

// late is a witness that answers after so long.
func late(d time.Duration) fakewitness.Misbehaviour {
	return func(_ context.Context, _ witnessing.Request, lines []byte, err error) ([]byte, error) {
		time.Sleep(d)
		return lines, err
	}
}

func TestALateAnswerCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newLog(t), 2, "w/1", "w/2")
		defer s.stop()
		s.witnesses[0].Misbehave(late(14 * time.Second))
		for range 6 {
			s.grow("faster than it answers")
			time.Sleep(10 * time.Second)
		}
		if is, _, ok := s.Best(); !ok || is.Size < 5 {
			t.Errorf("the best has %d events of 6, %v", is.Size, ok)
		}
		time.Sleep(time.Minute)
		s.holds("in the end", 6, 2)
	})
}

func TestLiesAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		s := open(t, l, 1, "w/1")
		defer s.stop()
		w, stranger := s.witnesses[0], fakewitness.New("w/1x", now)
		other := newLog(t)
		other.grow("another log")
		for what, say := range map[string]func(r witnessing.Request) []byte{
			"nothing": func(witnessing.Request) []byte { return nil },
			"words":   func(witnessing.Request) []byte { return []byte("ok\n") },
			"another's line": func(r witnessing.Request) []byte {
				lines, _ := stranger.Lines(r.Note)
				return lines
			},
			"a line of something else": func(witnessing.Request) []byte {
				lines, _ := w.Lines([]byte(other.Status().Latest.String() + "\n"))
				return lines
			},
			"a line of the note and more": func(r witnessing.Request) []byte {
				more := "\n" + "— w/9 AAAAAAAA\n"
				text := strings.TrimSuffix(string(r.Note), "\n") + "\n"
				lines, _ := w.Lines([]byte(text))
				return append([]byte(more), lines...)
			},
			"too much": func(r witnessing.Request) []byte { return bytes.Repeat([]byte("— w/9 AAAAAAAA\n"), 2000) },
		} {
			w.Misbehave(func(_ context.Context, r witnessing.Request, _ []byte, _ error) ([]byte, error) { return say(r), nil })
			size := s.grow(what).Size
			time.Sleep(20 * time.Minute)
			s.holds(what, size, 0)
			s.is(what, 0, witnessing.Failing)
			if _, _, ok := s.Best(); ok || s.copied != nil {
				t.Errorf("%s: it is kept", what)
			}
		}
		w.Misbehave(nil)
		time.Sleep(10 * time.Minute)
		s.holds("the truth", 6, 1)
	})
}

func TestConflictsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newLog(t), 1, "w/1", "w/2", "w/3")
		defer s.stop()
		s.grow("an event")
		s.grow("another")
		s.holds("no conflict", 2, 3)
		s.witnesses[0].Set(origin, tlog.Tree{N: 2, Hash: tlog.Hash{1}}) // another history, of the same size
		s.witnesses[1].Set(origin, tlog.Tree{N: 9, Hash: tlog.Hash{1}}) // a longer one
		s.witnesses[2].Set(origin, tlog.Tree{N: 1, Hash: tlog.Hash{1}}) // set back, and another
		s.grow("a third")
		s.is("another history", 0, witnessing.Conflict)
		s.is("a longer one, which another host may have signed", 1, witnessing.Failing)
		if st := s.is("set back", 2, witnessing.Conflict); st.Forgot == "" || st.Conflicts != 2 {
			t.Errorf("set back: %+v", st)
		}
		time.Sleep(time.Minute)
		if st := s.is("a longer one", 1, witnessing.Conflict); st.Conflicts == 0 || !strings.Contains(st.Detail, "9 events") {
			t.Errorf("%+v", st)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		s.mu.Lock()
		told := len(s.told)
		s.mu.Unlock()
		if told > 8 {
			t.Errorf("told %d times: the same is told once", told)
		}
		s.holds("nobody cosigns", 3, 0)
	})
}

// A witness that forgot is asked from where it is.
func TestAWitnessThatIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newLog(t), 1, "w/1")
		defer s.stop()
		s.grow("an event")
		synctest.Wait()
		s.witnesses[0].Set(origin, tlog.Tree{})
		s.grow("another")
		s.holds("it is cosigned all the same", 2, 1)
		if st := s.is("set back", 0, witnessing.Cosigned); st.Forgot == "" || st.Conflicts != 1 {
			t.Errorf("not told: %+v", st)
		}
	})
}

func TestWhoDoesNotKnowTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		s := open(t, l, 1, "w/1", "w/2")
		defer s.stop()
		w := s.witnesses[0]
		w.Know(origin, l.vkey("another.example"))
		s.grow("an event")
		s.is("of another key", 0, witnessing.Refused)
		w.Know(origin, l.vkey(origin))
		time.Sleep(time.Minute)
		s.is("known at last", 0, witnessing.Cosigned)
		s.fork(origin + "/fork/1")
		s.holds("under another name", 1, 0)
		s.is("under another name", 0, witnessing.Refused)
		if _, _, ok := s.Best(); ok {
			t.Error("what was cosigned under another name is the best")
		}
		w.Know(origin+"/fork/1", l.vkey(origin+"/fork/1"))
		time.Sleep(time.Minute)
		s.holds("known under that", 1, 1)
	})
}

func TestRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newLog(t), 1, "w/1", "w/2")
		s.grow("an event")
		synctest.Wait()
		s.stop()
		down := func(context.Context, witnessing.Request, []byte, error) ([]byte, error) {
			return nil, errors.New("no route")
		}
		for _, w := range s.witnesses {
			w.Misbehave(down)
		}
		s.grow("another")
		s.start(1)
		synctest.Wait()
		if is, _, ok := s.Best(); !ok || is.Size != 1 {
			t.Errorf("what was cosigned is lost: %+v, %v", is, ok)
		}
		for _, w := range s.witnesses {
			w.Misbehave(nil)
		}
		before := s.witnesses[0].Asked()
		time.Sleep(time.Minute)
		s.holds("after a restart", 2, 2)
		if n := s.witnesses[0].Asked() - before; n != 2 { // it had cosigned, and the answer was lost
			t.Errorf("asked %d times: it said from where", n)
		}
		s.stop()
		s.copied, s.fail = nil, errors.New("no space")
		s.start(1)
		s.holds("without the copy", 2, 2)
		synctest.Wait()
		if len(s.lost) == 0 {
			t.Error("what could not be kept was not told")
		}
		s.stop()
	})
}

func TestAnAlarmAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		l.status.Alarm = signing.Short
		s := open(t, l, 1, "w/1")
		defer s.stop()
		s.grow("an event")
		time.Sleep(time.Hour)
		if n := s.witnesses[0].Asked(); n != 0 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestWithoutWitnesses(t *testing.T) {
	l := newLog(t)
	for quorum, ok := range map[int]bool{0: true, 1: false, -1: false} {
		if _, err := witnessing.New(witnessing.Config{Quorum: quorum}); (err == nil) != ok {
			t.Errorf("a quorum of %d of none: %v", quorum, err)
		}
	}
	c, err := witnessing.New(witnessing.Config{Signer: l})
	if err != nil || c.Run(t.Context()) != nil {
		t.Fatal(err)
	}
	if _, _, ok := c.Best(); ok || c.Note() != nil {
		t.Error("something is signed")
	}
	l.grow("an event")
	if is, msg, ok := c.Best(); !ok || is.Size != 1 || !bytes.Equal(msg, c.Note()) {
		t.Errorf("%+v, %v", is, ok)
	}
}
