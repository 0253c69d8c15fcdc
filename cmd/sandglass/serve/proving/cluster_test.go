package proving_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/notefiles"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/serve/proving"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/signing"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/esdbserver/eventlog"
	"sandglass/testutil/storetest"

	"github.com/rs/zerolog"
)

const origin = "shop.example.org/log"

// site is a cluster with the log of several hosts, and one key.
type site struct {
	*esdbserver.Cluster
	t    *testing.T
	key  string // the text of log.key
	vkey string
	next int // names the next stream
}

func newSite(t *testing.T, nodes int) *site {
	t.Helper()
	s := &site{Cluster: esdbserver.New(t, esdbserver.Options{Nodes: nodes, SystemEvery: 7}), t: t}
	dir := t.TempDir()
	k, err := notefiles.MakeKey(dir, origin)
	s.must(err)
	text, err := os.ReadFile(filepath.Join(dir, notefiles.KeyFile))
	s.must(err)
	s.key = string(text)
	s.vkey, err = k.VKey(origin)
	s.must(err)
	c := s.config(t.TempDir())
	s.must(c.Log().Create(t.Context()))
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) config(dir string) *config.Config {
	return &config.Config{
		Store: s.ConnectionString(), StoreNamespace: "sandglass", StateDir: dir, LogOrigin: origin, FreeSpaceFloor: 0,
	}
}

// host is what a daemon has for proofs, which looks when the test says so.
type host struct {
	*proving.Proving
	site *site
	dir  string
	log  storeurl.Importer
	stop func()
}

// host starts one, with the key or without.
func (s *site) host(key bool) *host {
	s.t.Helper()
	h := &host{site: s, dir: s.t.TempDir()}
	if key {
		s.must(os.WriteFile(filepath.Join(h.dir, notefiles.KeyFile), []byte(s.key), 0o600))
	}
	h.start()
	return h
}

func (h *host) start() {
	t, s := h.site.t, h.site
	t.Helper()
	c := s.config(h.dir)
	var err error
	h.log, err = c.Log().Open(t.Context())
	s.must(err)
	h.Proving, err = proving.New(t.Context(), proving.Options{
		Config: c, Store: h.log, Folded: make(chan struct{}), Now: now, Log: zerolog.Nop(),
	})
	s.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func(p *proving.Proving) { done <- p.Run(ctx) }(h.Proving)
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, h.log.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.stop)
}

func (h *host) restart() {
	h.site.t.Helper()
	h.stop()
	h.start()
}

func now() instant.Time { return instant.Of(time.Now()) }

// grow appends so many events at a host.
func (s *site) grow(h *host, n int) {
	s.t.Helper()
	s.next++
	name := fmt.Sprintf("toy-%d", s.next)
	_, err := h.log.Append(s.t.Context(), name, stream.NoStream, storetest.Events(name, stream.NoStream, "toy", n))
	s.must(err)
}

// look looks, within the time that a test may take for a step.
func (h *host) look() signing.Status {
	h.site.t.Helper()
	ctx, cancel := context.WithTimeout(h.site.t.Context(), 2*time.Minute)
	defer cancel()
	h.Signer.Look(ctx)
	if ctx.Err() != nil {
		h.site.t.Fatal("a look took two minutes")
	}
	return h.Signer.Status()
}

// whole looks until all is signed: others may sign meanwhile.
func (h *host) whole() signing.Status {
	h.site.t.Helper()
	for range 10 {
		if s := h.look(); s.Err == nil && s.Alarm == signing.None && s.Note != nil && s.Latest.Size == s.Size {
			return s
		}
	}
	h.site.t.Fatalf("not signed: %+v", h.Signer.Status())
	panic("not reached")
}

// kept returns all events of the stream of checkpoints.
func (s *site) kept() []eventlog.Past {
	return slices.DeleteFunc(s.Past(), func(e eventlog.Past) bool { return e.Stream != "sandglass-checkpoints" })
}

// chain returns all that stands in the stream of checkpoints, and holds that there is one chain of them, by the key,
// each of more events than the one before; of those that the log has by the tree of a host, the roots are its.
func (s *site) chain(h *host) []checkpoint.Checkpoint {
	s.t.Helper()
	s.must(h.Signer.Tree.Caught(s.t.Context()))
	var chain []checkpoint.Checkpoint
	for _, e := range s.kept() {
		var kept struct{ Note string }
		s.must(json.Unmarshal(e.Data, &kept))
		c, err := checkpoint.Open([]byte(kept.Note), s.vkey)
		s.must(err)
		if n := len(chain); n > 0 && c.Size <= chain[n-1].Size {
			s.t.Fatalf("after a checkpoint of %d events there is one of %d", chain[n-1].Size, c.Size)
		}
		if root, err := h.Signer.Tree.Root(s.t.Context(), c.Size); err != nil || root != c.Root {
			s.t.Fatalf("the checkpoint of %d events has the root %s, and the tree %s, %v", c.Size, c.Root, root, err)
		}
		chain = append(chain, c)
	}
	return chain
}

// TestOneHostOfTwoSigns: the one that has the key; the other shows what it signed, and keeps a copy.
func TestOneHostOfTwoSigns(t *testing.T) {
	s := newSite(t, 3)
	a, b := s.host(true), s.host(false)
	if st := b.look(); st.Err != nil || st.Note != nil || st.Alarm != signing.None || b.Said() != "" {
		t.Fatalf("before the first: %+v", st)
	}
	for round := range 4 {
		s.grow(a, 100)
		s.grow(b, 50)
		st := a.whole()
		if other := b.look(); other.Err != nil || string(other.Note) != string(st.Note) || b.Said() != a.Said() || a.Said() == "" {
			t.Fatalf("round %d: the other host shows %+v, want %s", round, other, st.Note)
		}
		if copied, err := notefiles.NewCopy(b.dir).Load(); err != nil || string(copied) != string(st.Note) {
			t.Errorf("round %d: its copy is %q, %v", round, copied, err)
		}
		s.grow(b, 3)
		if st := b.look(); st.Err != nil || st.Latest.Size == st.Size || st.Alarm != signing.None {
			t.Errorf("round %d: it has no key: %+v", round, st)
		}
		[]*host{a, b}[round%2].restart()
	}
	a.whole()
	if chain := s.chain(b); len(chain) != 5 {
		t.Errorf("%d checkpoints, want 5", len(chain))
	}
}

// TestTwoHostsWithOneKey: each signs whenever it can, under nodes that come and go, and there is one chain.
func TestTwoHostsWithOneKey(t *testing.T) {
	s := newSite(t, 3)
	hosts := []*host{s.host(true), s.host(true)}
	s.grow(hosts[0], 5)
	for round := range 20 {
		var wg sync.WaitGroup
		for i, h := range hosts {
			wg.Go(func() {
				h.Signer.Look(t.Context())
				if st := h.Signer.Status(); st.Alarm != signing.None {
					t.Errorf("round %d: host %d: %s: %s", round, i, st.Alarm, st.Detail)
				}
			})
		}
		s.grow(hosts[round%2], 1+round)
		wg.Wait()
		switch {
		case round%7 == 3:
			s.MoveLeader()
		case round%5 == 4:
			hosts[round%2].restart()
		}
	}
	for _, h := range hosts {
		h.whole()
	}
	if chain := s.chain(hosts[1]); len(chain) < 5 {
		t.Errorf("%d checkpoints", len(chain))
	}
	if a, b := hosts[0].whole(), hosts[1].whole(); string(a.Note) != string(b.Note) {
		t.Errorf("they show %s and %s", a.Note, b.Note)
	}
}

// TestASwapFailsOnItsWay: whatever becomes of the write of a checkpoint, there is one chain, and the next look
// knows.
func TestASwapFailsOnItsWay(t *testing.T) {
	for name, fault := range map[string]esdbserver.Fault{
		"lost": esdbserver.Lost, "answer lost": esdbserver.AnswerLost, "cut": esdbserver.Cut, "answer cut": esdbserver.AnswerCut,
		"hangs": esdbserver.Hangs, "answer hangs": esdbserver.AnswerHangs, "not the leader": esdbserver.NotLeader,
	} {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, dies: %t", name, dies), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, 1)
				a, b := s.host(true), s.host(true)
				s.grow(a, 3)
				first := a.whole()
				s.grow(a, 3)
				swapping := make(chan struct{}, 100)
				s.OnAppend(func(stream string) esdbserver.Fault {
					if stream == "sandglass-checkpoints" {
						swapping <- struct{}{}
						return fault
					}
					return esdbserver.None
				})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					a.Signer.Look(ctx)
				}()
				<-swapping
				cancel() // as if it died, while it waits or tries again
				<-done
				s.OnAppend(nil)
				if shown := a.Signer.Status().Latest.Size; shown != first.Latest.Size && len(s.chain(b)) < 2 {
					t.Errorf("%d events are shown to be signed before that was kept", shown)
				}
				s.grow(b, 2)
				b.whole()
				if dies {
					a.restart()
				}
				if st := a.whole(); st.Size != 9 {
					t.Errorf("%+v", st)
				}
				s.chain(a)
			})
		}
	}
}

// TestAFollowerThatLagsIsNoAlarm: a subscription that is left at a node that falls behind makes nobody sign a shorter
// log, and is no alarm.
func TestAFollowerThatLagsIsNoAlarm(t *testing.T) {
	s := newSite(t, 3)
	a, b := s.host(true), s.host(true)
	s.grow(a, 3)
	a.whole()
	b.whole()
	left := s.Leader()
	s.MoveLeader()
	s.Freeze(left) // with the subscriptions to it
	s.grow(a, 5)
	if tree := b.Signer.Tree.Tree(); tree.Size() != 4 {
		t.Errorf("the node does not lag: it has %d events", tree.Size())
	}
	looked := make(chan signing.Status, 2)
	for _, h := range []*host{a, b} {
		go func() {
			h.Signer.Look(t.Context())
			looked <- h.Signer.Status()
		}()
	}
	s.Thaw(left)
	for range 2 {
		if st := <-looked; st.Alarm != signing.None || st.Err == nil && st.Size != 9 {
			t.Errorf("%+v", st)
		}
	}
	a.whole()
	b.whole()
	if chain := s.chain(b); len(chain) != 2 || chain[1].Size != 9 {
		t.Errorf("signed is %+v", chain)
	}
}

// TestALeaderWithAnotherHistory: a failover that lost what was signed, or a cluster that was restored, is an alarm at
// each host, whether it runs through that or is started again, and nothing is signed.
func TestALeaderWithAnotherHistory(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			anotherHistory(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

func anotherHistory(t *testing.T, rng *rand.Rand) {
	s := newSite(t, 1)
	a, b := s.host(true), s.host(false)
	for range 3 + rng.IntN(3) {
		s.grow(a, 1+rng.IntN(150))
		a.whole()
	}
	last := a.whole()
	b.look()
	past := s.Past()
	checkpoints := s.chain(a)
	again := rng.IntN(2) == 0 // it goes on from there, to as many events
	lose(s, rng, past, again)
	for _, h := range []*host{a, b} {
		if rng.IntN(2) == 0 {
			h.restart()
		}
		st := h.alarmed()
		want := []signing.Alarm{signing.Short, signing.Gone}
		if again {
			want = []signing.Alarm{signing.Rewritten, signing.Gone}
		}
		if !slices.Contains(want, st.Alarm) {
			t.Errorf("%q: %s, %v; want one of %q", st.Alarm, st.Detail, st.Err, want)
		}
		if h.Said() != "" {
			t.Errorf("payers are told %s", h.Said())
		}
	}
	for _, e := range s.kept() {
		if e.Number >= int64(len(checkpoints)) {
			t.Errorf("it signed once more: %s", e.Data)
		}
	}
	s.must(s.Replace(past)) // what was lost is found
	a.restart()
	if st := a.whole(); string(st.Note) != string(last.Note) {
		t.Errorf("after that %+v", st)
	}
}

// alarmed looks until there is an alarm. Who runs through what changed can't go on reading: a daemon ends then, and
// is started again.
func (h *host) alarmed() signing.Status {
	h.site.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 6000 {
		st := h.look()
		if st.Alarm != signing.None {
			return st
		}
		if st.Err != nil {
			h.restart()
		}
		<-tick.C
	}
	h.site.t.Fatalf("no alarm: %+v", h.Signer.Status())
	panic("not reached")
}

// lose takes the last events of a log from a cluster, with what was signed of them or without, and may write as many
// others in their place.
func lose(s *site, rng *rand.Rand, past []eventlog.Past, others bool) {
	s.t.Helper()
	var ours []int
	for i, e := range past {
		if strings.HasPrefix(e.Stream, "sandglass.") {
			ours = append(ours, i)
		}
	}
	from := ours[1+rng.IntN(len(ours)-1)]
	kept, notes := slices.Clone(past[:from]), rng.IntN(2) == 0
	number := int64(0)
	for _, e := range past[from:] {
		switch {
		case strings.HasPrefix(e.Stream, "sandglass.") && others:
			e.Stream, e.Number, e.ID = "sandglass.other-1", number, eventlog.NewID()
			kept, number = append(kept, e), number+1
		case e.Stream == "sandglass-checkpoints" && notes:
			kept = append(kept, e)
		}
	}
	s.must(s.Replace(kept))
}
