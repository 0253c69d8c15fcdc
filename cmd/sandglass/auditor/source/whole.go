package source

import (
	"context"
	"errors"
	"iter"

	"sandglass/adapters/httpapi/client"
	"sandglass/cmd/sandglass/cli"
	"sandglass/domain/pieces"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/stream"
)

// Whole opens the log that the flags name, from its first event on, in pieces that are read beside
// each other. The checkpoint that stands in a store is shown to stored before.
func Whole(
	ctx context.Context, env *cli.Env, f *Flags, stored func(note []byte) error,
) (log pieces.Log, done func() error, err error) {
	g, err := Grow(ctx, env, f)
	if err != nil {
		return nil, nil, err
	}
	if f.Store != "" { // before the log, which it is not ahead of then
		var note []byte
		if note, err = g.Checkpoint(ctx); err == nil && note != nil {
			err = stored(note)
		}
	}
	if err == nil {
		log, err = g.Log(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, g.Close())
	}
	return log, g.Close, nil
}

// keptBy returns the checkpoint that stands in a store, if there is one, be it in one that was put back.
func keptBy(s stream.EventStore) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		kept, ok := s.(checkpoint.Store)
		if !ok {
			return nil, nil
		}
		note, _, err := kept.Checkpoint(ctx)
		own, _, _ := checkpoint.Marked(note)
		return own, err
	}
}

// shownBy returns the checkpoint that a daemon shows of its log's present name.
func shownBy(cl *client.Client) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		l, err := cl.Log(ctx)
		switch {
		case err != nil || l.Checkpoint == "":
			return nil, err
		case len(l.Forks) == 0:
			return nil, errors.New("the daemon shows a checkpoint of a log that has no name: that is no answer of Sandglass")
		}
		note, err := cl.Checkpoint(ctx, l.Forks[len(l.Forks)-1].Fork)
		return []byte(note), err
	}
}

// batches yields single records in pieces.
func batches(recs iter.Seq2[stream.Record, error]) pieces.Log {
	return func(yield func(pieces.Piece, error) bool) {
		var run []stream.Record
		give := func() bool {
			whole := run
			run = nil
			return len(whole) == 0 || yield(pieces.Whole(whole), nil)
		}
		for r, err := range recs {
			if err != nil {
				yield(nil, err)
				return
			}
			if run = append(run, r); len(run) == runSize && !give() {
				return
			}
		}
		give()
	}
}
