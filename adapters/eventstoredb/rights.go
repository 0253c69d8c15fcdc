package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// right is something that a daemon does to the cluster, and how it is tried.
type right struct {
	to string
	do func(context.Context, *esdb.Client) error
}

// rights are all that a daemon needs. To try them changes nothing.
func (s *Store) rights() []right {
	return []right{
		{"read the streams " + s.full("…"), tryRead(s.full("rights"))},
		{"read the metadata of the streams " + s.full("…"), tryRead("$$" + s.full("rights"))},
		{"write to the streams " + s.full("…"), s.tryAppend},
		{"read the stream " + s.checkpoints(), tryRead(s.checkpoints())},
		{"write to the stream " + s.checkpoints(), s.tryCheckpoint},
		{"read $all forwards", tryReadAll(esdb.Forwards, esdb.Start{})},
		{"read $all backwards", tryReadAll(esdb.Backwards, esdb.End{})},
		{"subscribe to $all", s.trySubscribe},
	}
}

// tryRights does what a daemon will do, and returns an error that names all that the user may
// not.
func (s *Store) tryRights(ctx context.Context) error {
	var missing []string
	for _, r := range s.rights() {
		_, err := cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) (struct{}, error) {
			return struct{}{}, r.do(ctx, c)
		})
		switch {
		case cluster.Denied(err):
			missing = append(missing, r.to)
		case err != nil:
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the user may not %s, which the daemon has to: nothing was made; systemd/MANUAL.md, "+
		"\"On a cluster\", has the commands that give these rights", strings.Join(missing, ", nor "))
}

// noEnd is a revision at which no stream ends.
const noEnd = 1 << 40

// tryAppend appends at noEnd. The server looks for the right before it looks at the stream.
func (s *Store) tryAppend(ctx context.Context, c *esdb.Client) error {
	_, err := s.appending(s.full("rights"), noEnd, beginning([16]byte{}))(ctx, c)
	if errors.Is(err, stream.ErrWrongRevision) {
		return nil
	}
	return err
}

// tryCheckpoint is [Store.tryAppend] of what stands beside the log.
func (s *Store) tryCheckpoint(ctx context.Context, c *esdb.Client) error {
	_, err := s.appending(s.checkpoints(), noEnd, beginning([16]byte{}))(ctx, c)
	if errors.Is(err, stream.ErrWrongRevision) {
		return nil
	}
	return err
}

func tryRead(name string) func(context.Context, *esdb.Client) error {
	return func(ctx context.Context, c *esdb.Client) error {
		_, err := readStream(ctx, c, name, 0, 1, cluster.Left(ctx))
		return err
	}
}

func tryReadAll(d esdb.Direction, from esdb.AllPosition) func(context.Context, *esdb.Client) error {
	return func(ctx context.Context, c *esdb.Client) error {
		time := cluster.Left(ctx)
		rs, err := c.ReadAll(ctx, esdb.ReadAllOptions{Direction: d, From: from, Deadline: &time}, 1)
		_, err = cluster.Collect("reading $all", rs, err, nil)
		return err
	}
}

// trySubscribe begins a subscription as a daemon does, and ends it.
func (s *Store) trySubscribe(ctx context.Context, c *esdb.Client) error {
	sub, err := c.SubscribeToAll(ctx, s.subscription(esdb.End{}))
	if err != nil {
		return cluster.Words("subscribing", err)
	}
	return sub.Close()
}
