// Package notefiles keeps in the state folder what signs the log, log.key, and a copy of what was signed
// last, log/checkpoint, and cosigned, log/cosigned.
//
// The key is one line, as x/mod's note.GenerateKey writes it, of the daemon's user alone. It is made once
// and never replaced by the daemon: whoever has it signs for the log. The copy is there for a store that
// is an older one than it was, which has lost its own.
package notefiles

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sandglass/domain/proof/checkpoint"
)

// Files in the folder of state.
const (
	KeyFile  = "log.key"
	Dir      = "log" // which other files of the log's tree are in, too
	CopyFile = "checkpoint"
	Cosigned = "cosigned" // the last that enough witnesses cosigned, with their lines
)

var errLarge = errors.New("it is something else")

// maxKey is more bytes than a key's line has.
const maxKey = 1 << 10

// Key reads the key in a folder: nil if there is none.
func Key(dir string) (*checkpoint.Key, error) {
	path := filepath.Join(dir, KeyFile)
	text, err := read(path, maxKey)
	if err != nil || text == nil {
		return nil, err
	}
	k, err := checkpoint.ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: put back the one that was there; if it is lost, move this file away: systemd/MANUAL.md, "+
			"\"The log's key\"", path, err)
	}
	return k, nil
}

// MakeKey makes a key in a folder that has none, for a log of that origin; empty is the one that is the key's
// own. It is durable when MakeKey returns, and another's that is there meanwhile is not replaced.
func MakeKey(dir, origin string) (*checkpoint.Key, error) {
	k, err := checkpoint.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if origin == "" {
		origin = k.Invalid()
	}
	text, err := k.Text(origin)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, KeyFile)
	file, err := os.CreateTemp(dir, KeyFile+".new-*") // of its owner alone
	if err != nil {
		return nil, fmt.Errorf("the log's key: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Link(file.Name(), path) // unlike a rename, this replaces nothing
	}
	if err == nil {
		err = sync(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("the log's key: %w", err)
	}
	return k, nil
}

// Copy is the copy of the latest checkpoint in a folder of state. It implements signing.Copy.
type Copy struct{ dir, name string }

// NewCopy returns that of a folder of state.
func NewCopy(dir string) Copy { return Copy{filepath.Join(dir, Dir), CopyFile} }

// NewCosigned returns that of the last one that enough witnesses cosigned.
func NewCosigned(dir string) Copy { return Copy{filepath.Join(dir, Dir), Cosigned} }

// Load returns the copy, nil if there is none. Of a file that is too large for one it returns what tells that.
func (c Copy) Load() ([]byte, error) {
	note, err := read(filepath.Join(c.dir, c.name), checkpoint.MaxNote)
	if errors.Is(err, errLarge) {
		err = nil
	}
	return note, err
}

// Save replaces the copy durably.
func (c Copy) Save(note []byte) error {
	err := os.MkdirAll(c.dir, 0o700)
	if err == nil {
		err = c.replace(note)
	}
	if err != nil {
		return fmt.Errorf("the copy of the checkpoint: %w", err)
	}
	return nil
}

func (c Copy) replace(note []byte) error {
	path := filepath.Join(c.dir, c.name)
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(note)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(path+".new", path), sync(c.dir))
}

// read returns what is in a file, of so many bytes at most; nil if there is no file.
func read(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s has more than %d bytes: %w", path, most, errLarge)
	}
	return append([]byte{}, b...), err
}

// sync has what was named in a folder outlast a power cut.
func sync(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
