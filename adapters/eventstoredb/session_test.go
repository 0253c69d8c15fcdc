package eventstoredb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"
)

// A cluster that fails all is asked for new connections at a pace, and why it fails is told.
func TestAllFails(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, time.Second)
	s := open(t, c.ConnectionString(), o)
	var sessions counter
	c.OnRead(func(r esdbserver.Reading) int {
		if r.Stream == o.Namespace {
			sessions.add()
		}
		return -1
	})
	c.OnAppend(func(string) esdbserver.Fault { return esdbserver.Lost })
	began := time.Now()
	var calls sync.WaitGroup
	for i := range 32 {
		calls.Go(func() {
			name := fmt.Sprintf("toy-%d", i)
			_, err := s.Append(t.Context(), name, stream.NoStream, storetest.Events(name, stream.NoStream, "x", 1))
			if !errors.Is(err, stream.ErrUnavailable) || !strings.Contains(err.Error(), "the server is not ready") {
				t.Errorf("%v, want %v, and why", err, stream.ErrUnavailable)
			}
		})
	}
	calls.Wait()
	until(t, "another session is begun", func() error {
		if n := sessions.get(); n < 2 {
			return fmt.Errorf("%d were", n)
		}
		return nil
	})
	n := sessions.get()
	if took := time.Since(began); n > 5+int(took.Seconds()*10) {
		t.Errorf("%d sessions were begun in %s, want 10 a second or so", n, took)
	}
	c.OnAppend(nil)
	until(t, "the cluster takes writes", s.Writable)
}

// A caller who waits no longer is no failure, and costs nobody else the connection.
func TestCallersGiveUp(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	// A call may take a minute, so that no read is a look at the leader.
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, time.Minute)
	s := open(t, c.ConnectionString(), o)
	var more counter
	c.OnRead(func(r esdbserver.Reading) int {
		if r.Stream == o.Namespace {
			more.add()
		}
		return -1
	})
	release := c.Stall()
	var calls sync.WaitGroup
	for i := range 500 {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond/5)
			defer cancel()
			if i%2 == 0 {
				time.AfterFunc(time.Duration(i)*time.Millisecond/10, cancel)
			}
			_, err := s.Head(ctx)
			ended := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
			if !ended || errors.Is(err, stream.ErrUnavailable) {
				t.Errorf("%v, want the end of the caller's time", err)
			}
		})
	}
	calls.Wait()
	release()
	if err := s.Writable(); err != nil {
		t.Error(err)
	}
	if _, err := s.Head(t.Context()); err != nil || more.get() > 0 {
		t.Errorf("%d sessions more were begun; %v", more.get(), err)
	}
}

// What is short is not told, though nothing is written meanwhile: what takes less than a second.
func TestAShortFailureIsNotTold(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	var said counter
	o := eventstoredb.Options{Namespace: newLog(t, c.ConnectionString()), Log: func(string) { said.add() }}
	s := open(t, c.ConnectionString(), o)
	for i := range stream.Revision(5) {
		before, began := said.get(), time.Now()
		c.FailAppends(esdbserver.Lost)
		if _, err := s.Append(t.Context(), "toy-1", i-1, storetest.Events("toy-1", i-1, "x", 1)); err != nil {
			t.Error(err)
		}
		until(t, "the cluster takes writes", s.Writable)
		if took, n := time.Since(began), said.get()-before; n > 0 && took < time.Second {
			t.Errorf("it said %d things of what took %s", n, took)
		}
	}
}

// A call that finds no client in its time has the store not writable, as one that fails.
func TestNoClientIsThere(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{})
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, 300*time.Millisecond)
	o = eventstoredb.LooksTimes(o, 10) // so that none goes on after the test
	s := open(t, c.ConnectionString(), o)
	c.GoAway()
	for range 3 {
		eventstoredb.Forget(s)
		if _, err := s.Head(t.Context()); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("head: %v, want %v", err, stream.ErrUnavailable)
		}
		if err := s.Writable(); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("writable: %v, want %v", err, stream.ErrUnavailable)
		}
	}
	if err := c.ComeBack(); err != nil {
		t.Fatal(err)
	}
	until(t, "the cluster takes writes", s.Writable)
}

// A leader that moves is no failure: the client goes there by itself, and what its way
// there cancels goes on.
func TestFollowersRefuse(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
	c.RefuseOnFollowers(true)
	o := eventstoredb.OneAtATime(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())})
	for what, conn := range map[string]string{
		"gossip":      c.ConnectionString(),
		"one address": "esdb://" + c.Addrs()[c.Leader()] + "?tls=false",
	} {
		s := open(t, conn, o)
		end, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		name := "toy-" + strings.ReplaceAll(what, " ", "-")
		var looks counter
		c.OnAppend(func(stream string) esdbserver.Fault {
			if stream == o.Namespace {
				looks.add()
			}
			return esdbserver.None
		})
		next := stream.Revision(0)
		write := func() {
			c.MoveLeader()
			if _, err := s.Append(t.Context(), name, next-1, storetest.Events(name, next-1, "x", 1)); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		write()
		for run, err := range s.Subscribe(t.Context(), end) {
			if err != nil || len(run) != 1 || run[0].Revision != next {
				t.Fatalf("%s: %+v, %v", what, run, err)
			}
			if next++; next == 10 {
				break
			}
			write()
		}
		if n := looks.get(); n > 0 {
			t.Errorf("%s: %d looks whether the cluster is back, where it was never away", what, n)
		}
	}
}
