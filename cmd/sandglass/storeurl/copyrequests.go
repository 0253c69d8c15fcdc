package storeurl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	filerequests "sandglass/adapters/sqlite/requests"
	"sandglass/domain/request"

	"golang.org/x/sync/errgroup"
)

// ErrSameRequests says that two logs have one file of requests, since they are in one folder.
var ErrSameRequests = errors.New("both logs are in one folder, which has one requests.db: that is the source's")

// atOnce is how many records are on the way to a store, which writes them together.
const atOnce = 256

// CopyRequests keeps beside the log to, of which p is the place, what is kept beside the log at
// from, and returns how many records that are. A daemon may have the source open. Done again it
// adds what is missing.
func (p Place) CopyRequests(ctx context.Context, from Place, to Store) (n int64, err error) {
	if !p.Shared() && !from.Shared() && filerequests.Path(p.Path()) == filerequests.Path(from.Path()) {
		return 0, ErrSameRequests
	}
	source, done, err := from.readRequests(ctx)
	if err != nil || source == nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	target, err := p.OpenRequests(ctx, to)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	for run, err := range source.Follow(ctx) {
		if err != nil || len(run) == 0 { // that was all
			return n, err
		}
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(atOnce)
		for _, r := range run {
			g.Go(func() error { return target.Keep(ctx, r) })
		}
		if err := g.Wait(); err != nil {
			return n, err
		}
		n += int64(len(run))
	}
	return n, ctx.Err()
}

// readRequests opens what is kept beside a log to be read: nil if there is nothing. Of a file that
// is a copy, since a daemon may have the file.
func (p Place) readRequests(ctx context.Context) (s request.Store, done func() error, err error) {
	if p.Shared() {
		s, err := p.openESDBRequests(ctx)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	path := filerequests.Path(p.Path())
	if filerequests.Missing(path) {
		return nil, nil, nil
	}
	dir, err := os.MkdirTemp("", "sandglass-requests-")
	if err != nil {
		return nil, nil, err
	}
	copied := filepath.Join(dir, "requests.db")
	if err := filerequests.CopyTo(ctx, path, copied); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("copying %s: %w", path, err), os.RemoveAll(dir))
	}
	file, err := filerequests.Open(copied, filerequests.Options{Told: p.tell, FreeSpaceFloor: -1})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return file, func() error { return errors.Join(file.Close(), os.RemoveAll(dir)) }, nil
}
