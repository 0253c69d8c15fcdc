package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sandglass/adapters/sqlite/requests"
	"sandglass/domain/instant"
)

// Requests returns where the requests of the log stand that is copied to a file: what was asked
// for and nobody had paid, and the addresses that were given out for it.
func Requests(copied string) string { return copied + "-requests" }

// writeRequests copies a file of requests, if there is one, to a file that must not exist.
func (m *Maker) writeRequests(ctx context.Context, from, to string) error {
	if requests.Missing(from) {
		return nil
	}
	part, err := m.prepare(to, func(part string) error {
		if err := m.checkSpace(from, filepath.Dir(part)); err != nil {
			return err
		}
		return requests.CopyTo(ctx, from, part)
	}, func(string) error { return nil })
	if err != nil {
		return err
	}
	return errors.Join(m.place(part, to), part.Close())
}

// RestoreRequests puts a copy of requests where they are missing, and reports whether it did.
// To those that are there, and are newer, it adds what they have forgotten: the log had it, and
// the one that is restored may not.
func (m *Maker) RestoreRequests(ctx context.Context, from, path string) (bool, error) {
	if requests.Missing(from) {
		return false, nil
	}
	copyAndCheck := func(part string) error { return requests.CopyTo(ctx, from, part) }
	part, err := m.prepare(path, copyAndCheck, func(string) error { return nil })
	if err != nil {
		return false, err
	}
	defer part.Close()
	if !requests.Missing(path) {
		err := m.step("add", func() error { return requests.Add(ctx, path, part.Name()) })
		return false, errors.Join(err, os.Remove(part.Name()))
	}
	if err := m.step("own", func() error { return own(part, path) }); err != nil {
		return false, errors.Join(err, os.Remove(part.Name()))
	}
	err = m.place(part, path)
	return err == nil, err
}

// SetAsideRequests moves the requests beside the log at a path, which are of another log than the
// one that comes there, into the folder in which [Maker.Restore] keeps the log at the same now. It
// returns that folder, or nothing where no requests are. After an error it is done again.
func (m *Maker) SetAsideRequests(log string, now instant.Time) (kept string, err error) {
	if resolved, err := filepath.EvalSymlinks(log); err == nil {
		log = resolved
	}
	path := requests.Path(log)
	release, err := lock(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := m.step("keep", func() (err error) { kept, err = keep(path, keptIn(log, now)); return err }); err != nil {
		return kept, fmt.Errorf("backup: keeping %s: %w", path, err)
	}
	return kept, m.removeKept(path)
}
