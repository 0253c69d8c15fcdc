package sqlite

import (
	"context"
	"fmt"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/proof/checkpoint"
)

// Checkpoint implements [checkpoint.Store]: it is in the file of the log, and goes where that goes.
func (s *Store) Checkpoint(ctx context.Context) (note []byte, version int64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	err = s.readers.use(ctx, s.closing, func(r *reader) (err error) {
		note, version, err = logfile.Checkpoint(r.conn)
		return err
	})
	if err == nil && note != nil {
		if why := checkpoint.CheckNote(note); why != nil {
			return nil, version, fmt.Errorf("sqlite: the table checkpoint: %w: %w", checkpoint.ErrForeign, why)
		}
	}
	return note, version, err
}

// SwapCheckpoint implements [checkpoint.Store].
func (s *Store) SwapCheckpoint(ctx context.Context, version int64, note []byte) error {
	if err := checkpoint.CheckNote(note); err != nil {
		return err
	}
	if s.writer == nil {
		return s.Writable()
	}
	return s.writer.Swap(ctx, version, note)
}
