// Package backup copies the file of a log as a whole, beside the daemon that writes it, and
// puts such a copy in the place of a log.
//
// A copy is made under another name, [Part], checked, and brought to the disk. Its own name
// it gets at the end, and never that of a file that is there. So a crash leaves a copy that
// is whole, or none; what it left under other names the next one overwrites.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sandglass/adapters/sqlite"
	"sandglass/adapters/sqlite/logfile"
	"sandglass/adapters/sqlite/requests"
	"sandglass/domain/instant"
	"sandglass/domain/stream"

	"golang.org/x/sys/unix"
)

// Part is what the name of a copy ends with while it is made.
const Part = ".part"

// Copy is a copy of a log that was made, and checked.
type Copy struct {
	ID       string          // of the log
	Head     stream.Position // of its last event, 0 if it has none
	Recorded instant.Time    // when that was recorded
	Bytes    int64           // of the file
}

// Maker makes copies. Its zero value does.
type Maker struct {
	// Floor is how many bytes of the disk a copy leaves free: a full one stops the daemon.
	Floor int64
	// FreeSpace returns what is free on the disk of a folder; nil asks the system.
	FreeSpace func(dir string) (int64, error)

	// Signed, if it is set, says what a log that is restored is to have as its checkpoint, in the place of its
	// own: nil leaves that. The log is put in its place with it. Nobody writes the log that is replaced meanwhile.
	Signed func(own []byte) (note []byte, err error)

	before func(step string) error // is told of each step, and may end it; tests use it
}

// Write copies the log at from to the file to, and the requests beside the log, if it has a file of
// them, to [Requests] of to. Neither may exist. A daemon may write both meanwhile: the copy
// is the log as it was at one moment. The requests are copied before it: what the log has of them
// by then, it has.
func (m *Maker) Write(ctx context.Context, from, to string) (Copy, error) {
	return m.WriteBy(ctx, to, func(part string) error {
		if err := m.writeRequests(ctx, requests.Path(from), Requests(to)); err != nil {
			return err
		}
		return m.copyFile(ctx, from, part)
	})
}

// WriteBy is [Maker.Write] with what makes the file, and whatever is to be beside it: make finds an
// empty one at part. What a copy that was broken off left, which its [Part] tells of, goes.
func (m *Maker) WriteBy(ctx context.Context, to string, make func(part string) error) (c Copy, err error) {
	names := []string{to, to + "-wal", to + "-journal"}
	if _, err := os.Lstat(to + Part); err != nil {
		names = append(names, Requests(to))
	}
	part, err := lockPart(to)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, part.Close()) }() // nobody else makes this copy until then
	for _, name := range names {
		if err := absent(name); err != nil {
			return c, errors.Join(err, os.Remove(part.Name()))
		}
	}
	clear := func() error { return removeAll(Requests(to), Requests(to)+Part, Requests(to)+Part+"-journal") }
	fresh := func(part string) error { return errors.Join(clear(), make(part)) }
	err = m.fill(part, to, fresh, func(part string) (err error) { c, err = check(ctx, part); return err })
	if err == nil {
		err = m.place(part, to)
	}
	if err != nil && absent(to) == nil {
		err = errors.Join(err, clear(), removeAll(part.Name()))
	}
	return c, err
}

// removeAll removes files, of which some may be missing.
func removeAll(names ...string) error {
	var errs []error
	for _, name := range names {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func absent(path string) error {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return fmt.Errorf("backup: %s exists: choose another path, or move it away", path)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// copyFile copies a log into a file.
func (m *Maker) copyFile(ctx context.Context, from, part string) error {
	if err := logfile.Exists(from); err != nil {
		return err
	}
	if err := m.checkSpace(from, filepath.Dir(part)); err != nil {
		return err
	}
	return logfile.CopyTo(ctx, from, part)
}

// checkSpace returns an error unless there is room for a copy.
func (m *Maker) checkSpace(from, dir string) error {
	need := m.Floor
	for _, name := range []string{from, from + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			need += info.Size()
		}
	}
	free := m.FreeSpace
	if free == nil {
		free = freeSpace
	}
	if have, err := free(dir); err == nil && have < need { // where the system does not tell, it is tried
		return fmt.Errorf("backup: %d bytes are free on the disk of %s, and %d must be: make room", have, dir, need)
	}
	return nil
}

func freeSpace(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// prepare makes a copy that is whole and on the disk, under another name. The file that it
// returns is the lock of that name.
func (m *Maker) prepare(to string, make, check func(part string) error) (part *os.File, err error) {
	if part, err = lockPart(to); err != nil {
		return nil, err
	}
	if err := m.fill(part, to, make, check); err != nil {
		return nil, errors.Join(err, os.Remove(part.Name()), part.Close())
	}
	return part, nil
}

// lockPart opens the file that a copy is made in. It is the lock of that name: two at the same time
// would write over each other.
func lockPart(to string) (*os.File, error) {
	part, err := os.OpenFile(to+Part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	err = unix.Flock(int(part.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = named(part) // else another command has just given it its own name
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("backup: %s is being written by another command: %w", to+Part, err), part.Close())
	}
	return part, nil
}

// named returns an error unless a file has the name by which it was opened.
func named(f *os.File) error {
	is, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(f.Name())
	if err == nil && !os.SameFile(is, there) {
		err = fs.ErrExist
	}
	return err
}

// fill makes a copy in an open file, which is whole and on the disk then.
func (m *Maker) fill(part *os.File, to string, make, check func(part string) error) error {
	for _, s := range []struct {
		name string
		do   func() error
	}{
		{"empty", func() error { return errors.Join(part.Truncate(0), removeAll(part.Name()+"-journal")) }},
		{"copy", func() error { return make(part.Name()) }},
		{"check", func() error { return check(part.Name()) }},
		{"sync", func() error { return syncFile(part.Name()) }},
	} {
		if err := m.step(s.name, s.do); err != nil {
			return fmt.Errorf("backup: making %s: %w", to, err)
		}
	}
	return nil
}

// step does one step.
func (m *Maker) step(name string, do func() error) error {
	if m.before != nil {
		if err := m.before(name); err != nil {
			return err
		}
	}
	return do()
}

// check reads a copy from its begin to its end.
func check(ctx context.Context, path string) (c Copy, err error) {
	s, err := sqlite.OpenReadOnly(path)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Verify(ctx); err != nil {
		return c, err
	}
	c.ID = s.ID()
	if c.Head, err = s.Head(ctx); err != nil {
		return c, err
	}
	for r, err := range stream.Between(ctx, s, max(c.Head, 1)-1, c.Head) {
		if err != nil {
			return c, err
		}
		c.Recorded = r.RecordedAt
	}
	c.Bytes, err = s.Size()
	return c, err
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// place gives a file its name, for good.
func (m *Maker) place(part *os.File, to string) error {
	if err := m.step("place", func() error { return rename(part.Name(), to) }); err != nil {
		return errors.Join(fmt.Errorf("backup: making %s: %w", to, err), os.Remove(part.Name()))
	}
	if err := m.step("sync the folder", func() error { return syncDir(filepath.Dir(to)) }); err != nil {
		return fmt.Errorf("backup: %s is whole, and may be gone after a loss of power: %w", to, err)
	}
	return nil
}

// rename renames a file, and replaces none: by a second name and without the first, where
// the file system has no such rename.
func rename(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		if err := os.Link(from, to); err != nil {
			return err
		}
		return os.Remove(from)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
