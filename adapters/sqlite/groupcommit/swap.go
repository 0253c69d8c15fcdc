package groupcommit

import (
	"bytes"
	"context"
	"fmt"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/proof/checkpoint"
)

// swap is a checkpoint on its way to the writer.
type swap struct {
	version int64
	note    []byte
	done    chan error // holds one
}

// Swap puts the checkpoint of a version in the place of the one before it, as
// [checkpoint.Store] has it.
func (w *Writer) Swap(ctx context.Context, version int64, note []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := &swap{version, note, make(chan error, 1)}
	select {
	case w.swaps <- s:
		return <-s.done
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return logfile.ErrClosed
	}
}

// writeSwap writes a checkpoint in a transaction of its own and answers it.
func (w *Writer) writeSwap(s *swap) {
	w.using.Lock()
	defer w.using.Unlock()
	err := w.space.Check()
	if err == nil {
		g := group{w: w} // whose next is not the writer's, so that it commits
		err = g.transact(func() error { return w.keep(s) })
		if err == nil {
			w.setFailure(nil) // what fails here says nothing of the log, which takes events on
		}
		w.wal.Grew(2 * logfile.WALPage)
	}
	s.done <- err
	w.maintain()
}

// keep keeps a checkpoint, in the transaction that is open.
func (w *Writer) keep(s *swap) error {
	note, version, err := logfile.Checkpoint(w.conn)
	switch {
	case err != nil:
		return err
	case version == s.version+1 && bytes.Equal(note, s.note):
		return nil
	case version != s.version:
		return refusal{fmt.Errorf("sqlite: it has version %d, not %d: %w", version, s.version, checkpoint.ErrMoved)}
	}
	return logfile.KeepCheckpoint(w.conn, s.version+1, s.note)
}
