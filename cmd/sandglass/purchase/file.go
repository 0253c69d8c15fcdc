package purchase

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"

	"golang.org/x/sys/unix"
)

// kept is what a file holds: what is bought, and what is being bought.
type kept struct {
	URL       string `json:"url"`
	Resource  string `json:"resource"`             // its id
	HolderKey string `json:"holder_key,omitempty"` // if the purchase made its payer the holder
	// What was bought last, and the credential that is the proof of it: both empty before the first purchase is had.
	Request       *wire.BuyRequest `json:"request,omitempty"`
	Authorization string           `json:"authorization,omitempty"`
	Open          *open            `json:"open,omitempty"`
}

// open is a purchase that is not had yet.
type open struct {
	Request   wire.BuyRequest `json:"request"`
	Token     string          `json:"token"`
	Payment   string          `json:"payment"` // its key
	Invoice   string          `json:"invoice"`
	Amount    money.Msat      `json:"amount_msat"`
	ExpiresAt instant.Time    `json:"expires_at"`
	Preimage  string          `json:"preimage,omitempty"` // once it is paid
}

// credential returns what proves that it is paid.
func (o *open) credential() string { return "L402 " + o.Token + ":" + o.Preimage }

// suffix ends the name of a file that nobody has named, after the id of the resource.
const suffix = ".credential"

// maxFile bounds what is read: a token and an invoice are of a few kilobytes, parameters of less than that.
const maxFile = 1 << 20

// file is the file of a purchase, which no other process changes until it is closed.
type file struct {
	path string
	lock *os.File // of path, as it is now
	kept
}

// openFile opens the file of a purchase, and makes an empty one if there is none.
func openFile(path string) (*file, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("keeping the purchase: %w", err)
		}
		out := &file{path: path, lock: f}
		replaced, err := out.read()
		switch {
		case err != nil:
			return nil, errors.Join(err, f.Close())
		case !replaced:
			return out, nil
		}
		_ = f.Close() // nothing was written to it
	}
}

// unfinished returns the file here of a purchase that asks there for the same, is not finished and that no other process
// is at; "" if there is none.
func unfinished(url string, r *wire.BuyRequest) string {
	paths, _ := filepath.Glob("*" + suffix) // the pattern is well formed
	for _, path := range paths {
		f, err := openFile(path)
		if err != nil {
			continue // another is at it, or it is something else
		}
		found := f.Open != nil && f.URL == url && same(&f.Open.Request, r)
		f.close()
		if found {
			return path
		}
	}
	return ""
}

// read locks the file and reads it; it reports whether another process has replaced it meanwhile.
func (f *file) read() (replaced bool, err error) {
	if unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false, fmt.Errorf("%s: another `sandglass buy` is at it: wait until it is done", f.path)
	}
	mine, err := f.lock.Stat()
	if err != nil {
		return false, err
	}
	if now, err := os.Stat(f.path); err != nil || !os.SameFile(mine, now) {
		return true, nil
	}
	b, err := io.ReadAll(io.LimitReader(f.lock, maxFile))
	if err != nil || len(b) == 0 {
		return false, err
	}
	if err := json.Unmarshal(b, &f.kept); err != nil || f.URL == "" || f.Open == nil && f.Request == nil {
		return false, fmt.Errorf("%s is no purchase of sandglass buy: name another file by --credential", f.path)
	}
	return false, nil
}

// empty reports whether nothing was begun in it.
func (f *file) empty() bool { return f.URL == "" }

// save writes what is kept, all of it or nothing, and returns once that outlasts a power cut.
func (f *file) save() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeping the purchase: %w", err)
		}
	}()
	b, err := json.MarshalIndent(f.kept, "", "  ")
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*") // for its owner alone
	if err != nil {
		return err
	}
	_, err = part.Write(append(b, '\n'))
	if err = errors.Join(err, part.Sync(), unix.Flock(int(part.Fd()), unix.LOCK_EX)); err == nil {
		err = os.Rename(part.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, part.Close(), os.Remove(part.Name()))
	}
	_ = f.lock.Close() // nothing was written to it
	f.lock = part
	return syncFolder(filepath.Dir(f.path))
}

// syncFolder has what was renamed in a folder outlast a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// close lets others have the file. One in which nothing was begun is taken away.
func (f *file) close() {
	if f.empty() {
		_ = os.Remove(f.path) // an empty one does no harm
	}
	_ = f.lock.Close() // what was written to it is synced
}
