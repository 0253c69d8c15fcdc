package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/adapters/sqlite"
	"sandglass/domain/stream"
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/histories"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// shared is a log in a cluster, as our store and as the bare client reach it.
type shared struct {
	conn  string
	store *eventstoredb.Store
	bare  *esdb.Client
}

// cluster measures the store of a cluster beside the client that it uses. The server is
// that of the tests, in this process and in memory: what is measured is our side.
func cluster(ctx context.Context, b *harness.Bench) error {
	server, err := esdbserver.Start(esdbserver.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	for _, measure := range []func(context.Context, *harness.Bench, string) error{clusterAppends, clusterReplay, clusterCopy} {
		if err := measure(ctx, b, server.ConnectionString()); err != nil {
			return err
		}
	}
	return nil
}

// reach makes a log in the cluster and opens it.
func reach(ctx context.Context, conn, namespace string) (s *shared, err error) {
	o := eventstoredb.Options{Namespace: namespace}
	if err := eventstoredb.Create(ctx, conn, o); err != nil {
		return nil, err
	}
	s = &shared{conn: conn}
	config, err := esdb.ParseConnectionString(conn)
	if err != nil {
		return nil, err
	}
	config.Logger = esdb.NoopLogging()
	if s.bare, err = esdb.NewClient(config); err == nil {
		s.store, err = eventstoredb.Open(ctx, conn, o)
	}
	return s, err
}

func (s *shared) close() error { return errors.Join(s.store.Close(), s.bare.Close()) }

// append appends an event through our store.
func (s *shared) append(ctx context.Context) harness.Write {
	return func(name string, rev stream.Revision, e stream.Event) error {
		_, err := s.store.Append(ctx, name, rev-1, []stream.Event{e})
		return err
	}
}

// appendBare appends it with the client alone, to another stream.
func (s *shared) appendBare(ctx context.Context) harness.Write {
	return func(name string, rev stream.Revision, e stream.Event) error {
		var expected esdb.ExpectedRevision = esdb.NoStream{}
		if rev > 0 {
			expected = esdb.Revision(uint64(rev - 1))
		}
		options := esdb.AppendToStreamOptions{ExpectedRevision: expected}
		_, err := s.bare.AppendToStream(ctx, "bare."+name, options, esdb.EventData{
			EventID:     uuid.UUID(e.ID),
			EventType:   e.Type,
			ContentType: esdb.ContentTypeJson,
			Data:        e.Data,
			Metadata:    e.Meta,
		})
		return err
	}
}

func clusterAppends(ctx context.Context, b *harness.Bench, conn string) error {
	var tallies [2][2][]*harness.Tally // by clients, and through our store or bare
	for r := range b.Rounds {
		b.Say("appends: round %d of %d", r+1, b.Rounds)
		for i, clients := range []int{1, 256} {
			s, err := reach(ctx, conn, fmt.Sprintf("append_%d_%d", clients, r))
			if err != nil {
				return err
			}
			for j, do := range []harness.Write{s.append(ctx), s.prefixed(r, s.appendBare(ctx))} {
				t, err := harness.WriteFor(clients, b.Slice/4, do)
				if err != nil {
					return err
				}
				tallies[i][j] = append(tallies[i][j], t)
			}
			if err := s.close(); err != nil {
				return err
			}
		}
	}
	for i, name := range []string{"1 client", "256 clients"} {
		ours, bare := harness.Each(tallies[i][0], (*harness.Tally).Rate), harness.Each(tallies[i][1], (*harness.Tally).Rate)
		b.Add("in a cluster, "+name, "events/s", ours).Against("slower than the bare client", bare, ours, nil)
	}
	return nil
}

// prefixed gives the streams of each round names of their own.
func (s *shared) prefixed(round int, do harness.Write) harness.Write {
	return func(name string, rev stream.Revision, e stream.Event) error {
		return do(fmt.Sprintf("%d.%p.%s", round, s, name), rev, e)
	}
}

func clusterReplay(ctx context.Context, b *harness.Bench, conn string) error {
	s, err := reach(ctx, conn, "replay")
	if err != nil {
		return err
	}
	defer s.close()
	b.Say("replay: writing %d events", b.Shared)
	if err := histories.Fill(ctx, s.store, b.Shared/10, b.Shared, 1); err != nil {
		return err
	}
	head, err := s.store.Head(ctx)
	if err != nil {
		return err
	}
	var rates [3][]float64
	for r := range b.Rounds {
		b.Say("replay: round %d of %d", r+1, b.Rounds)
		for i, read := range []func() error{
			func() error { return s.followBare(ctx, head) },
			func() error { return subscribe(ctx, s.store, head) },
			func() error { _, err := harness.Fold(ctx, s.store); return err },
		} {
			start := time.Now()
			if err := read(); err != nil {
				return err
			}
			rates[i] = append(rates[i], float64(b.Shared)/time.Since(start).Seconds())
		}
	}
	b.Add("in a cluster, bare subscription", "events/s", rates[0])
	b.Add("in a cluster, Subscribe, nothing done with it", "events/s", rates[1]).
		Against("slower than the bare client", rates[0], rates[1], nil)
	b.Add("in a cluster, replay into all projections", "events/s", rates[2]).
		Against("slower than the bare client", rates[0], rates[2], nil).
		Noting(fmt.Sprintf("%d events; the server of the tests is in this process and takes its share of the processor",
			b.Shared))
	return nil
}

// followBare reads the log with the client alone.
func (s *shared) followBare(ctx context.Context, head stream.Position) error {
	sub, err := s.bare.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{
		From:            esdb.Start{},
		MaxSearchWindow: 512,
		Filter:          &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"replay."}},
	})
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }() // it has no error to return
	for {
		e := sub.Recv()
		if e.SubscriptionDropped != nil {
			return e.SubscriptionDropped.Error
		}
		if e.EventAppeared != nil && e.EventAppeared.Event.Position.Commit == uint64(head) {
			return nil
		}
	}
}

// clusterCopy has the command copy a log from a file into the cluster and back.
func clusterCopy(ctx context.Context, b *harness.Bench, conn string) error {
	from, err := b.Log(ctx, "shared", func(s *sqlite.Store) error {
		return histories.Fill(ctx, s, b.Shared/10, b.Shared, 1)
	})
	if err != nil {
		return err
	}
	var rates [2][]float64
	for r := range min(b.Rounds, 3) {
		b.Say("copy: round %d", r+1)
		namespace, back := fmt.Sprintf("copy_%d", r), b.Path(fmt.Sprintf("back-%d", r))
		if err := eventstoredb.Create(ctx, conn, eventstoredb.Options{Namespace: namespace}); err != nil {
			return err
		}
		if err := sqlite.Create(back); err != nil {
			return err
		}
		for i, args := range [][]string{
			{"--from", "sqlite:" + from, "--to", conn, "--to-namespace", namespace},
			{"--from", conn, "--from-namespace", namespace, "--to", "sqlite:" + back},
		} {
			start := time.Now()
			cmd := exec.CommandContext(ctx, b.Sandglass, append([]string{"store", "copy"}, args...)...)
			cmd.Env = append(os.Environ(), "SANDGLASS_FREE_SPACE_FLOOR=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("store copy: %w\n%s", err, out)
			}
			rates[i] = append(rates[i], float64(b.Shared)/time.Since(start).Seconds())
		}
	}
	b.Add("store copy, from a file into a cluster, verified", "events/s", rates[0])
	b.Add("store copy, from a cluster into a file, verified", "events/s", rates[1]).
		Against("that of the way there", rates[1], rates[0], nil)
	return nil
}
