package logfile

import (
	"cmp"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"

	"sandglass/domain/stream"
)

// Space stops the writes before the disk is full: a log that runs into it could not
// even be moved out of its WAL, and lnd, beside it, would stop too.
type Space struct {
	path  string
	floor int64
	free  func(path string) (int64, error)
	mu    *sync.Mutex
	low   *bool // guarded by mu
}

// DefaultFreeSpaceFloor is far more than one group of appends and a full WAL take.
const DefaultFreeSpaceFloor = 256 << 20

// NewSpace returns what looks at the disk of path. A floor of 0 is [DefaultFreeSpaceFloor], a
// negative one none; free returns what is free there, and nil asks the system.
func NewSpace(path string, floor int64, free func(path string) (int64, error)) Space {
	if free == nil {
		free = freeSpace
	}
	return Space{path: path, floor: cmp.Or(floor, DefaultFreeSpaceFloor), free: free, mu: new(sync.Mutex), low: new(bool)}
}

// hysteresis is the most that must be free above the floor before writes go on.
const hysteresis = 256 << 20

// Check returns an error that wraps [stream.ErrReadOnly] from when less than the floor
// is free until a quarter more is, or [hysteresis] more if that is less. Where the system
// does not tell, writes go on.
func (s Space) Check() error {
	if s.floor < 0 {
		return nil
	}
	free, err := s.free(s.path)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	need := s.floor
	if *s.low {
		need += min(s.floor/4, hysteresis)
	}
	if *s.low = free < need; *s.low {
		return fmt.Errorf("%w: %d bytes are free on the disk of %s, and %d must be: make room",
			stream.ErrReadOnly, free, s.path, need)
	}
	return nil
}

func freeSpace(path string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
