package runfiles

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockFile is held by the keeper for as long as it runs. It is locked and never written to.
const lockFile = ".keeper"

// ErrKept says that another keeper runs on the folder.
var ErrKept = errors.New("runfiles: another keeper runs on this folder")

// Keep makes the caller the one keeper of the folder, until its process ends or it calls release:
// two would act at once on one resource. The error is [ErrKept] if there is one.
func (f *Folder) Keep() (release func() error, err error) {
	path := filepath.Join(f.dir, founds, lockFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, mode)
	if err != nil {
		return nil, err
	}
	err = errors.Join(file.Chmod(mode), unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}))
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = fmt.Errorf("%w: %s", ErrKept, f.dir)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file.Close, nil
}

// IsKept reports whether a keeper runs on the folder.
func (f *Folder) IsKept() (bool, error) {
	file, err := os.OpenFile(filepath.Join(f.dir, founds, lockFile), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_RDLCK} // which is only asked for
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false, err
	}
	return lock.Type != unix.F_UNLCK, nil
}
