package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// loadSnapshot begins with what the snapshot has. A file that ends before it was cut off: that it
// is an older copy somebody has to say, by deleting the snapshot.
func (d *components) loadSnapshot() error {
	if err := d.views.Load(d.SnapshotPath(), d.store.ID()); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.log.Info().Err(err).Msg("no snapshot: folding the whole log")
		}
		return nil
	}
	if d.Log().Shared() {
		return nil
	}
	head, err := d.store.Head(context.Background()) // a file knows it
	if err != nil {
		return err
	}
	if err := d.views.CheckEnd(head); err != nil {
		return fmt.Errorf("%s: %w, says %s: put the -wal back that was beside it; "+
			"or, if it is a backup that was put there, delete the snapshot, as `sandglass store restore` does",
			d.Log(), err, d.SnapshotPath())
	}
	return nil
}

// saveSnapshots saves now and then, and at the end, so that the next start is short.
func (d *components) saveSnapshots(ctx context.Context) error {
	const every = 10 * time.Minute
	t := time.NewTicker(every)
	defer t.Stop()
	saved := d.views.Position()
	for {
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		if at := d.views.Position(); at != saved {
			if err := d.views.Save(d.SnapshotPath(), d.store.ID()); err != nil {
				d.log.Warn().Err(err).Msg("no snapshot was saved: the next start folds the log from an older one")
			}
			saved = at
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}
