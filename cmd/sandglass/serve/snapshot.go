package serve

import (
	"context"
	"time"
)

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
