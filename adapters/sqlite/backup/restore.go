package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sandglass/adapters/sqlite/logfile"
	"sandglass/domain/instant"
)

// Restored is a log that was put in its place.
type Restored struct {
	Copy
	Kept string // the folder with the files that were there; empty if there were none
}

// Restore puts a copy of the log at from where path is. What is there is kept, as it is, in a
// folder beside it. No store may have path open for writing, nor is it opened by another
// before Restore returns: until then nothing is there, or one whole log.
//
// A WAL of the old log beside the new one would be played onto it. So the old files are kept
// under their second names first, then the log goes, then its WAL, and then comes the copy. A
// crash leaves the old log, no log with or without a WAL, or the new log; Restore again does
// the rest.
func (m *Maker) Restore(ctx context.Context, from, path string, now instant.Time) (r Restored, err error) {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved // else the link would be replaced, and not the log
	}
	release, err := lock(path)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, release()) }()
	part, err := m.prepare(path, func(part string) error { return m.copySigned(ctx, from, part) },
		func(part string) (err error) { r.Copy, err = check(ctx, part); return err })
	if err != nil {
		return r, err
	}
	defer part.Close()
	if r.Kept, err = m.replace(part, path, now); err != nil {
		return r, fmt.Errorf("%w\n  what was there is not lost: see %s and %s.replaced-*, and restore again", err, path, path)
	}
	return r, nil
}

// copySigned copies a log into a file, with the checkpoint that it is to have there.
func (m *Maker) copySigned(ctx context.Context, from, part string) error {
	err := m.copyFile(ctx, from, part)
	if err == nil && m.Signed != nil {
		err = logfile.PutCheckpoint(part, m.Signed)
	}
	return err
}

// lock keeps every daemon away from a log that is there.
func lock(path string) (release func() error, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return func() error { return nil }, nil
	case err != nil:
		return nil, fmt.Errorf("backup: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("backup: %s is not a file: give the path of the event log", path)
	}
	hold, err := logfile.Lock(path)
	if err != nil {
		return nil, err
	}
	return hold.Release, nil
}

// replace puts a copy in the place of a log, which it keeps.
func (m *Maker) replace(part *os.File, path string, now instant.Time) (kept string, err error) {
	if err := m.step("own", func() error { return own(part, path) }); err != nil {
		return "", fmt.Errorf("backup: giving %s to the owner of the log: %w", part.Name(), err)
	}
	if err := m.step("keep", func() (err error) { kept, err = keep(path, keptIn(path, now)); return err }); err != nil {
		return kept, fmt.Errorf("backup: keeping the log that is there: %w", err)
	}
	if err := m.removeKept(path); err != nil {
		return kept, err
	}
	return kept, m.place(part, path)
}

// removeKept removes the files of a database that is kept, in the order in which no WAL is played
// onto another file.
func (m *Maker) removeKept(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} { // in this order
		err := m.step("remove "+suffix, func() error { return os.Remove(path + suffix) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("backup: %w", err)
		}
		if err := m.step("sync the folder", func() error { return syncDir(filepath.Dir(path)) }); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	return nil
}

// own gives a file the owner and the mode of the log that it replaces, or the owner of its
// folder: root restores what is the daemon's.
func own(part *os.File, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t) // Linux has no other
	if int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid() {
		return nil
	}
	return part.Chown(int(st.Uid), int(st.Gid))
}

// keptIn returns the folder in which the log at a path is kept that is replaced now.
func keptIn(path string, now instant.Time) string {
	return path + ".replaced-" + now.Std().Format("20060102T150405.000Z")
}

// keep gives the files of a database second names in a folder, and returns none where there is
// nothing to keep.
func keep(path, dir string) (kept string, err error) {
	made := false
	for _, suffix := range []string{"", "-wal"} {
		switch _, err := os.Lstat(path + suffix); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", err
		}
		if !made {
			if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return "", err
			}
			made = true
		}
		if err := os.Link(path+suffix, filepath.Join(dir, filepath.Base(path)+suffix)); err != nil {
			return "", err
		}
	}
	if !made {
		return "", nil
	}
	return dir, errors.Join(syncDir(dir), syncDir(filepath.Dir(path)))
}
