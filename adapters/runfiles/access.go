package runfiles

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Where a daemon asks its keeper how a resource is reached, and what units leave of that, in a folder
// of root's. No id of a resource makes the socket's name.
const (
	socketFile = ".keeper.sock"
	accesses   = "access"
)

// Socket returns the path of the keeper's socket.
func (f *Folder) Socket() string { return filepath.Join(f.dir, founds, socketFile) }

// Daemon returns the user whose wants are trusted.
func (f *Folder) Daemon() (uid uint32, err error) { return ownerOf(filepath.Join(f.dir, wants)) }

// Access returns what the unit of a resource left of how it is reached, up to a byte more than
// [enforce.MaxSize]: [fs.ErrNotExist] if nothing.
func (f *Folder) Access(id string) ([]byte, error) {
	if _, err := os.Lstat(filepath.Join(f.dir, accesses)); errors.Is(err, fs.ErrNotExist) {
		return nil, err // a folder is not trusted unless it is there
	}
	return f.read(accesses, id)
}
