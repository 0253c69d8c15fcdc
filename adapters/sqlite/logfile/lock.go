package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockByte is the byte of the file that its writer locks: the first behind the 512 that
// SQLite locks. A lock of the whole file, which flock is on a network's disk, would shut
// out SQLite. Nothing is written there for the lock, and the file may end before.
const lockByte = 1<<30 + 512

// fileID is what a file is to the kernel, whatever its names are.
type fileID struct{ dev, ino uint64 }

// used is a file that stores of this process have open.
type used struct {
	holds   int        // that are not released
	written bool       // one of them is a writer's
	locks   []*os.File // no longer needed
}

// inUse are the files in use. The process has one table, as the kernel has: SQLite's own
// locks are POSIX locks, of which a process loses all that it has on a file when it closes
// any descriptor of it. So the descriptor of a lock is closed with the last hold on its
// file, and a file that is written here is not opened to find that out.
var inUse = struct {
	sync.Mutex
	files map[fileID]*used
}{files: map[fileID]*used{}}

// Hold is what a store has on its file while it is open: a writer keeps every other
// writer away, of this process or another.
type Hold struct {
	path string
	id   fileID
	lock *os.File // nil if it is a reader's
	names
}

// Share holds the file for one who reads it.
func Share(path string) (*Hold, error) {
	inUse.Lock()
	defer inUse.Unlock()
	return newHold(path)
}

// Lock holds the file for the one who writes it. The lock is the file's, so that it is
// found by a link and by a mount of it too, and it is that of an open file description
// (fcntl_locking(2)): it does not meddle with those of SQLite, and the kernel drops it when
// its holder dies.
func Lock(path string) (*Hold, error) {
	inUse.Lock()
	defer inUse.Unlock()
	h, err := newHold(path)
	if err != nil {
		return nil, err
	}
	if err := h.lockFile(); err != nil {
		return nil, errors.Join(err, h.release())
	}
	return h, nil
}

func newHold(path string) (*Hold, error) {
	h := &Hold{path: path}
	if err := h.names.noteFile(path); err != nil {
		return nil, err
	}
	h.id = idOf(h.names.file)
	u := inUse.files[h.id]
	if u == nil {
		u = new(used)
		inUse.files[h.id] = u
	}
	u.holds++
	return h, nil
}

func idOf(info fs.FileInfo) fileID {
	st := info.Sys().(*syscall.Stat_t) // Linux has no other
	return fileID{uint64(st.Dev), st.Ino}
}

func (h *Hold) lockFile() error {
	u := inUse.files[h.id]
	if u.written {
		return h.taken()
	}
	f, err := os.OpenFile(h.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("sqlite: %s can't be opened: look at the permissions of the file and of its folder: %w", h.path, err)
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(info, h.names.file) {
		err = errors.New("it was replaced just now: try again")
	}
	if err == nil {
		err = setLock(f, unix.F_WRLCK)
	}
	if err != nil {
		u.locks = append(u.locks, f)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return h.taken()
		}
		return fmt.Errorf("sqlite: locking %s: %w", h.path, err)
	}
	u.written, h.lock = true, f
	return nil
}

func (h *Hold) taken() error {
	return fmt.Errorf("sqlite: %s is open for writing already, by this or another name: "+
		"stop the other daemon, or open it for reading only", h.path)
}

func setLock(f *os.File, how int16) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: how, Start: lockByte, Len: 1})
}

// Release gives the file back, once all connections to it are closed.
func (h *Hold) Release() error {
	inUse.Lock()
	defer inUse.Unlock()
	return h.release()
}

// release gives the lock back at once: merely closed, it would last as long as a child
// that was being started at that moment holds the file too.
func (h *Hold) release() error {
	u := inUse.files[h.id]
	var errs []error
	if h.lock != nil {
		errs = append(errs, setLock(h.lock, unix.F_UNLCK))
		u.written, u.locks = false, append(u.locks, h.lock)
	}
	if u.holds--; u.holds == 0 {
		delete(inUse.files, h.id)
		for _, f := range u.locks {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Abandon gives the lock back while a connection stays open, until the process ends: so
// does the lock's descriptor then.
func (h *Hold) Abandon() error {
	inUse.Lock()
	defer inUse.Unlock()
	inUse.files[h.id].written = false
	return setLock(h.lock, unix.F_UNLCK)
}
