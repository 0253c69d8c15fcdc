// Package keeperstate is the file in which a keeper's signs of life outlast a power cut, in a folder of
// its own: it writes there, and the daemon reads.
package keeperstate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"sandglass/domain/enforce/lasting"

	"golang.org/x/sys/unix"
)

// name is that of the file.
const name = "signs.json"

// maxSize is more than the signs of one boot take: 27.7 MiB where each resource of a full host went down as often
// as is told.
const maxSize = 64 << 20

// Load returns what was saved last: [io/fs.ErrNotExist] if nothing ever was. A file of anybody else than
// the folder's owner, or that others may write, is an error.
func Load(dir string) (*lasting.Signs, error) {
	b, err := read(dir)
	if err != nil {
		return nil, fmt.Errorf("the keeper's signs of life: %w", err)
	}
	s, err := lasting.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return s, nil
}

func read(dir string) ([]byte, error) {
	of, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	// A link is not followed, and a pipe does not hold up who opens it.
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o022 != 0 || owner(info) != owner(of) || info.Size() > maxSize {
		return nil, fmt.Errorf("%s is no file of at most %d bytes that the owner of its folder alone can write", f.Name(), maxSize)
	}
	return io.ReadAll(io.LimitReader(f, maxSize))
}

func owner(info os.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

// Save writes the file durably, all or nothing. The earliest boots for which it has no room are left out.
func Save(dir string, s *lasting.Signs) error {
	b, err := s.Marshal()
	for ; err == nil && len(b) > maxSize && len(s.Boots) > 1; b, err = s.Marshal() {
		s.Boots = s.Boots[1:]
	}
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if err := write(path+".new", b); err != nil {
		return errors.Join(err, remove(path+".new"))
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func write(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()) // which the daemon's user reads, whatever the umask is
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
