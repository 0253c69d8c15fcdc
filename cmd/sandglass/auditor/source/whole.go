package source

import (
	"context"
	"errors"
	"iter"
	"os"

	"sandglass/adapters/httpapi/client"
	"sandglass/cmd/sandglass/auditor/ndjson"
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
	switch {
	case f.Store != "":
		s, err := openStore(ctx, f.Store)
		if err != nil {
			return nil, nil, err
		}
		err = showCheckpoint(ctx, s, stored) // before the head, which it is not ahead of then
		var head stream.Position
		if err == nil {
			head, err = s.Head(ctx)
		}
		if err != nil {
			return nil, nil, errors.Join(err, s.Close())
		}
		return pieces.Of(ctx, s, head), s.Close, nil
	case f.Log != "":
		file, err := os.Open(f.Log)
		if err != nil {
			return nil, nil, err
		}
		return ndjson.Log(file), file.Close, nil
	}
	cl, err := env.Client(cli.Auditor)
	if err != nil {
		return nil, nil, err
	}
	return batches(records(fetched(cl))(ctx, 0)), func() error { return nil }, nil
}

// showCheckpoint shows the checkpoint that stands in a store, if there is one, be it in one that was put back.
func showCheckpoint(ctx context.Context, s stream.EventStore, show func(note []byte) error) error {
	kept, ok := s.(checkpoint.Store)
	if !ok {
		return nil
	}
	note, _, err := kept.Checkpoint(ctx)
	own, _, _ := checkpoint.Marked(note)
	if err != nil || own == nil {
		return err
	}
	return show(own)
}

// keptBy returns the checkpoint that stands in a store.
func keptBy(s stream.EventStore) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) (note []byte, err error) {
		err = showCheckpoint(ctx, s, func(kept []byte) error {
			note = kept
			return nil
		})
		return note, err
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
