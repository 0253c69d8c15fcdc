package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sandglass/adapters/notefiles"
	"sandglass/adapters/sqlite/backup"
	"sandglass/adapters/sqlite/requests"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/instant"
	"sandglass/domain/logcopy"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/signing"
)

// putting is a backup that is put where the log is.
type putting struct {
	conf   *config.Config
	backup *restored
	path   string          // of it
	to     storeurl.Place  // where the log is
	newer  *storeurl.Place // the log that was written last; nil if that is not known
	other  bool            // another log is there
	marked bool            // it was given a mark
}

// put puts it there, and returns the folder in which what was there is kept.
func (p *putting) put(ctx context.Context) (kept string, err error) {
	now := instant.Of(time.Now())
	if p.to.Shared() {
		return "", p.putShared(ctx, now)
	}
	if err := os.MkdirAll(filepath.Dir(p.to.Path()), 0o700); err != nil {
		return "", err
	}
	m := backup.Maker{Floor: p.conf.FreeSpaceFloor}
	m.Signed = func(own []byte) ([]byte, error) { return p.signed(ctx, own, now), ctx.Err() }
	if p.other {
		if _, err := m.SetAsideRequests(p.to.Path(), now); err != nil {
			return "", err
		}
	}
	if _, err := m.RestoreRequests(ctx, backup.Requests(p.path), requests.Path(p.to.Path())); err != nil {
		return "", err
	}
	// It tells of events that will not be: the log has the same id, and other events there.
	err = os.Remove(p.conf.SnapshotPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	r, err := m.Restore(ctx, p.path, p.to.Path(), now)
	return r.Kept, err
}

// signed returns what the log is to have in the place of its own checkpoint.
func (p *putting) signed(ctx context.Context, own []byte, now instant.Time) []byte {
	last, known := p.last(ctx)
	note := signing.PutBack(own, last, known, checkpoint.Mark{Events: p.backup.Backup.Events, At: now})
	_, _, p.marked = checkpoint.Marked(note)
	return note
}

// last returns what the log that was written last keeps as its checkpoint, and whether that is known to be the last
// that was signed: the log can be read, and it is not one that was signed here of whose checkpoint no copy is here any
// more. There the state folder lost something, and the log may have lost its end, as without its -wal.
func (p *putting) last(ctx context.Context) (note []byte, known bool) {
	if p.newer == nil {
		return nil, false
	}
	note, err := kept(ctx, *p.newer)
	if err != nil || note == nil || p.to.Shared() || p.newer.URL != p.to.URL {
		return note, err == nil
	}
	copied, err := notefiles.NewCopy(p.conf.StateDir).Load()
	return note, err == nil && copied != nil
}

// putShared copies the backup into a cluster.
func (p *putting) putShared(ctx context.Context, now instant.Time) error {
	made := p.to.Create(ctx)
	_, err := transfer(ctx, storeurl.Place{URL: "sqlite:" + p.path}, p.to, func(ctx context.Context, s storeurl.Store) error {
		return p.mark(ctx, s, now)
	})
	switch {
	case errors.Is(err, logcopy.ErrDiffer):
		return fmt.Errorf("%w\n  what a cluster has recorded can't be taken back: set another %s_STORE_NAMESPACE, for all hosts",
			err, config.Prefix)
	case err != nil && made != nil:
		return errors.Join(made, err)
	case err != nil:
		return err
	}
	note, err := kept(ctx, p.to)
	_, _, p.marked = checkpoint.Marked(note)
	return err
}

// mark has a log of a cluster keep what says how it was signed before it gets the first event of the backup.
// Where that was done before, as by a restore that was broken off, it stays.
func (p *putting) mark(ctx context.Context, s storeurl.Store, now instant.Time) error {
	there, version, err := s.Checkpoint(ctx)
	if _, _, marked := checkpoint.Marked(there); marked || err != nil {
		return err
	}
	own, err := kept(ctx, storeurl.Place{URL: "sqlite:" + p.path})
	if err != nil {
		return err
	}
	if own == nil {
		own = there
	}
	last, known := p.last(ctx)
	known = known && (there == nil || bytes.Equal(there, last)) // else it is a copy that was written to
	note := signing.PutBack(own, last, known, checkpoint.Mark{Events: p.backup.Backup.Events, At: now})
	if note == nil || bytes.Equal(note, there) {
		return nil
	}
	return s.SwapCheckpoint(ctx, version, note)
}

// kept returns what a store keeps as its checkpoint.
func kept(ctx context.Context, at storeurl.Place) ([]byte, error) {
	s, err := at.OpenReadOnly(ctx)
	if err != nil {
		return nil, err
	}
	note, _, err := s.Checkpoint(ctx)
	return note, errors.Join(err, s.Close())
}

// carry has a copy of a log keep the checkpoint that the source had before it was copied, with its mark, unless
// it has a later one.
func carry(ctx context.Context, note []byte, to storeurl.Store) error {
	there, version, err := to.Checkpoint(ctx)
	if err != nil || note == nil || bytes.Equal(note, there) || !signing.Follows(there, note) {
		return err
	}
	return to.SwapCheckpoint(ctx, version, note)
}
