package projections_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
)

// cluster is the views of two hosts, and those of a machine that owns all.
type cluster struct{ a, b, all *projections.Views }

func newCluster() cluster {
	return cluster{projections.NewFor("a", instant.Hour), projections.NewFor("b", instant.Hour), projections.New(instant.Hour)}
}

// each does something to the views of each.
func (c cluster) each(do func(*projections.Views) error) error {
	return errors.Join(do(c.a), do(c.b), do(c.all))
}

// TestEachIsDueAtOneHost follows random histories on which resources move between two
// hosts: at each moment each resource that has a deadline is due at its own host alone.
func TestEachIsDueAtOneHost(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		m := randomOn(t, rapid.Uint64().Draw(rt, "seed"), 8, 100, "a", "b")
		c := newCluster()
		if place := rapid.IntRange(-1, len(m.records)-1).Draw(rt, "snapshot"); place >= 0 {
			path := filepath.Join(dir, "snapshot")
			must(rt, replayed(t, m, m.records[place].Position).Save(path, "log"))
			must(rt, c.each(func(v *projections.Views) error { return v.Load(path, "log") }))
		}
		want := fold(t, nil)
		for i := range m.records {
			rec := &m.records[i]
			at := rec.Position
			if id, ok := strings.CutPrefix(rec.Stream, resource.Prefix); ok {
				apply(t, rec, resource.ID(id), want.resources, resource.Aggregate())
			}
			if at < c.all.Position() || rec.Type == "resource.opened.v1" {
				continue // before the snapshot, or half of an append: the placing comes next
			}
			must(rt, c.each(func(v *projections.Views) error { return projections.Replay(t.Context(), m, v, at) }))
			c.check(rt, want)
		}
		same(rt, "a and all", c.a, c.all)
	})
}

// check holds what is due where against the states as the domain folds them.
func (c cluster) check(t *rapid.T, want model) {
	due := map[string][]resource.ID{"a": {}, "b": {}}
	enforced := false
	next := map[string]instant.Time{"a": instant.Max, "b": instant.Max}
	for id, s := range want.resources {
		enforced = enforced || s.Enforcer != ""
		at, ok := s.Deadline(instant.Hour)
		if s.Status == resource.StatusRunning && !ok {
			t.Fatalf("%s runs and is never due", id)
		}
		if ok {
			due[s.Host] = append(due[s.Host], id)
			next[s.Host] = min(next[s.Host], at)
		}
		if c.a.Owns(id) != (s.Host == "a") || c.b.Owns(id) != (s.Host == "b") || !c.all.Owns(id) {
			t.Fatalf("%s is on %s; a owns it: %v, b: %v, one machine: %v", id, s.Host, c.a.Owns(id), c.b.Owns(id), c.all.Owns(id))
		}
	}
	for host, v := range map[string]*projections.Views{"a": c.a, "b": c.b} {
		sameIDs(t, "due at "+host, dueAll(v, 1000), due[host])
		if at, ok := v.NextDeadline(-1); ok != (len(due[host]) > 0) || ok && at != next[host] {
			t.Fatalf("the next deadline of %s is %s, %v, want %s", host, at, ok, next[host])
		}
	}
	sameIDs(t, "due in all", dueAll(c.all, 1000), append(due["a"], due["b"]...))
	if at, ok := c.all.NextDeadline(-1); ok && at != min(next["a"], next["b"]) {
		t.Fatalf("the next deadline of all is %s, want the earlier of %v", at, next)
	}
	if c.all.Enforced() != enforced {
		t.Fatalf("something is enforced: %v", !enforced)
	}
	if c.all.Owns("nobody") || c.a.Owns("nobody") || c.all.Unplaced() != 0 {
		t.Fatalf("nobody is owned, or %d are unplaced", c.all.Unplaced())
	}
}

func sameIDs(t *rapid.T, what string, got, want []resource.ID) {
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheUnplacedAreNobodys leaves some resources without a host: a machine that has a
// name does not see them as due, one without sees all.
func TestTheUnplacedAreNobodys(t *testing.T) {
	m := randomOn(t, 1, 20, 400, "", "a", "b")
	c := newCluster()
	if err := c.each(func(v *projections.Views) error { return projections.Replay(t.Context(), m, v, m.head()) }); err != nil {
		t.Fatal(err)
	}
	unplaced := 0
	for _, s := range fold(t, m.records).resources {
		if s.Host != "" {
			continue
		}
		if s.Status != resource.StatusReleased {
			unplaced++
		}
		if c.a.Owns(s.ID) || c.b.Owns(s.ID) || !c.all.Owns(s.ID) {
			t.Errorf("%s has no host and is owned by one", s.ID)
		}
	}
	if unplaced == 0 || c.a.Unplaced() != unplaced || c.all.Hosts()[""] != unplaced {
		t.Errorf("%d unplaced, %v, want %d", c.a.Unplaced(), c.all.Hosts(), unplaced)
	}
	due := func(v *projections.Views) int { return len(dueAll(v, 999)) }
	if a, b, all := due(c.a), due(c.b), due(c.all); a == 0 || b == 0 || a+b >= all {
		t.Errorf("%d and %d are due at the hosts, %d in all", a, b, all)
	}
}

// TestAMoveTellsBothHosts moves a resource while both follow the log: the deadline goes
// and comes at once, and the meter of neither is woken for what is the other's.
func TestAMoveTellsBothHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := newMemory(), newCluster()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		run := func(v *projections.Views) { done <- projections.Run(ctx, m, v) }
		go run(c.a)
		go run(c.b)
		<-c.a.CaughtUp()
		<-c.b.CaughtUp()
		woken := func() string {
			synctest.Wait()
			who := ""
			for name, v := range map[string]*projections.Views{"a": c.a, "b": c.b} {
				_, due := v.NextDeadline(-1)
				select {
				case <-v.DeadlineMoved():
					who += fmt.Sprint(name, " ", due, " ")
				default:
				}
			}
			return who
		}
		woken() // once for having caught up
		open := stream.Encode(&resource.Opened{Plan: "p", Terms: resource.Terms{Price: money.Price{Msat: 1, Per: 1}}})
		place := func(host string) stream.Event { return stream.Encode(&resource.Placed{Host: host}) }
		if _, err := m.Append(ctx, "resource-vm", stream.NoStream, []stream.Event{open, place("a")}); err != nil {
			t.Fatal(err)
		}
		if got := woken(); got != "a true " {
			t.Errorf("opened on a: %s", got)
		}
		append1(t, m, "resource-vm", 1, place("b"))
		if got := woken(); got != "a false b true " && got != "b true a false " {
			t.Errorf("moved to b: %s", got)
		}
		append1(t, m, "resource-vm", 2, stream.Encode(&resource.Released{At: resource.At{At: 5}, Reason: "operator"}))
		if got := woken(); got != "b false " {
			t.Errorf("released on b: %s", got)
		}
		cancel()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
	})
}

// dueAll returns what is ever due, with all graces over.
func dueAll(v *projections.Views, limit int) []resource.ID {
	ids, _ := v.Due(instant.Max, instant.Max, instant.Gap{}, nil, limit)
	return ids
}
