// Package runfiles is the folder through which a daemon and a keeper speak: want/<id> is what the
// daemon wants of a resource, is/<id> what the keeper found, is/.beat its sign of life.
//
// Each writes one of the two and reads the other. Who may write is a matter of the folders' owners
// and modes, which systemd-tmpfiles makes; a file of anybody else than its folder's owner is not
// read. A file is written beside its place and renamed into it, so that nobody sees half of one.
// Nothing is synced: what was wanted before a power cut is of another boot.
package runfiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sandglass/domain/enforce"
	"sandglass/domain/resource"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// The folders, and the modes of what is in them, whatever the umask is. The group of a file is that
// of its folder, which is set-group-id.
const (
	wants   = "want"
	founds  = "is"
	mode    = 0o640
	dirMode = 0o750
)

// maxNames is how many names of wants are read: more than a keeper takes care of.
const maxNames = 2 * enforce.MaxWants

// ErrNotTrusted says that a file or a folder could be another's than that of who should write it.
var ErrNotTrusted = errors.New("runfiles: not to be trusted")

// Folder is the folder of both. Its methods may be called from anywhere, but not two that write
// one file.
type Folder struct{ dir string }

// Open returns the folder at a path, which is there, and makes in it what is missing, as whoever may:
// where no keeper was ever installed there is none.
func Open(dir string) (*Folder, error) {
	for _, sub := range []string{wants, founds} {
		if err := os.Mkdir(filepath.Join(dir, sub), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("runfiles: %w: `systemd-tmpfiles --create` makes %s as sandglass.conf says, and so it is at boot",
				err, dir)
		}
	}
	return &Folder{dir}, nil
}

// At returns the folder at a path as it stands, for whoever only reads.
func At(dir string) *Folder { return &Folder{dir} }

// Wants returns the names of all wants, in no order: those of the first 40,000.
func (f *Folder) Wants() ([]string, error) { return f.names(wants) }

// Founds returns the ids of all resources of which there is an Is.
func (f *Folder) Founds() ([]string, error) { return f.names(founds) }

// Want returns the want of a resource: [fs.ErrNotExist] if there is none, [ErrNotTrusted] or
// [enforce.ErrDamaged] if it is not to be followed.
func (f *Folder) Want(id string) (*enforce.Want, error) {
	b, err := f.read(wants, id)
	if err != nil {
		return nil, err
	}
	return enforce.ParseWant(id, b)
}

// Is returns what a keeper said last of a resource: [fs.ErrNotExist] if it said nothing.
func (f *Folder) Is(id string) (*enforce.Is, error) {
	b, err := f.read(founds, id)
	if err != nil {
		return nil, err
	}
	return enforce.ParseIs(id, b)
}

// Write leaves a want. It sets its version.
func (f *Folder) Write(w *enforce.Want) error {
	b, err := w.Marshal()
	if err != nil {
		return fmt.Errorf("runfiles: the want of %s: %w", w.ID, err)
	}
	return f.write(wants, w.ID, b)
}

// Remove takes a want away, if it is there.
func (f *Folder) Remove(id string) error { return f.remove(wants, id) }

// SaveIs leaves what a resource is. It sets its version, and cuts its text.
func (f *Folder) SaveIs(i *enforce.Is) error {
	b, err := i.Marshal()
	if err != nil {
		return fmt.Errorf("runfiles: what %s is: %w", i.ID, err)
	}
	return f.write(founds, i.ID, b)
}

// beatFile is the keeper's sign of life.
const beatFile = ".beat"

// SaveBeat leaves the keeper's sign of life. It sets its version.
func (f *Folder) SaveBeat(b *enforce.Beat) error {
	text, err := b.Marshal()
	if err != nil {
		return fmt.Errorf("runfiles: the keeper's sign of life: %w", err)
	}
	return f.write(founds, beatFile, text)
}

// Beat returns the last sign of life of a keeper: [fs.ErrNotExist] if there was none in this boot.
func (f *Folder) Beat() (*enforce.Beat, error) {
	text, err := f.open(founds, beatFile)
	if err != nil {
		return nil, err
	}
	return enforce.ParseBeat(text)
}

// timesFile is what the daemon keeps of its clock for as long as the boot lasts.
const timesFile = ".times"

// SaveTimes leaves what the daemon keeps of its own clock.
func (f *Folder) SaveTimes(b []byte) error { return f.write(wants, timesFile, b) }

// Times returns what [Folder.SaveTimes] wrote last.
func (f *Folder) Times() ([]byte, error) { return f.open(wants, timesFile) }

// heardFile is up to when the log has what the keeper left.
const heardFile = ".heard"

// SaveHeard leaves to the keeper up to when the log has what that left.
func (f *Folder) SaveHeard(b []byte) error { return f.write(wants, heardFile, b) }

// Heard returns what [Folder.SaveHeard] wrote last.
func (f *Folder) Heard() ([]byte, error) { return f.open(wants, heardFile) }

// RemoveIs takes away what a resource is, if it is there.
func (f *Folder) RemoveIs(id string) error { return f.remove(founds, id) }

// Changes yields "" once it listens, then the name of each want that comes, changes or goes, and
// "" again when some may have been missed. It ends with the first error, or when ctx does.
func (f *Folder) Changes(ctx context.Context) iter.Seq2[string, error] { return f.changes(ctx, wants) }

// Found is [Folder.Changes] of what the resources are.
func (f *Folder) Found(ctx context.Context) iter.Seq2[string, error] { return f.changes(ctx, founds) }

// names returns the names in a folder, without those that are being written.
func (f *Folder) names(sub string) ([]string, error) {
	d, err := os.Open(filepath.Join(f.dir, sub))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	all, err := d.Readdirnames(maxNames)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	names := all[:0]
	for _, name := range all {
		if !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names, nil
}

// read returns the file of a resource.
func (f *Folder) read(sub, id string) ([]byte, error) {
	if !resource.IsName(id) {
		return nil, fmt.Errorf("%w: no resource can be called %.80q", ErrNotTrusted, id)
	}
	return f.open(sub, id)
}

// open returns a file of at most [enforce.MaxSize] bytes that its folder's owner wrote.
func (f *Folder) open(sub, id string) ([]byte, error) {
	dir := filepath.Join(f.dir, sub)
	owner, err := ownerOf(dir)
	if err != nil {
		return nil, err
	}
	// A link is not followed, and a pipe does not hold up who opens it.
	file, err := os.OpenFile(filepath.Join(dir, id), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is no file", ErrNotTrusted, file.Name())
	case info.Sys().(*syscall.Stat_t).Uid != owner:
		return nil, fmt.Errorf("%w: %s is of user %d, and its folder of user %d", ErrNotTrusted, file.Name(),
			info.Sys().(*syscall.Stat_t).Uid, owner)
	case info.Mode()&0o022 != 0:
		return nil, fmt.Errorf("%w: others may write %s", ErrNotTrusted, file.Name())
	}
	b := make([]byte, min(info.Size(), enforce.MaxSize)+1) // one more, by which it is seen to be too large
	n, err := io.ReadFull(file, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return b[:n], nil
}

// ownerOf returns whose files in a folder are trusted: those of its owner, if nobody else may write
// into it.
func ownerOf(dir string) (uint32, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotTrusted, hideNotExist(err))
	}
	if !info.IsDir() || info.Mode()&0o022 != 0 {
		return 0, fmt.Errorf("%w: %s is no folder that its owner alone may write into", ErrNotTrusted, dir)
	}
	return info.Sys().(*syscall.Stat_t).Uid, nil
}

// hideNotExist keeps a folder that is gone from being taken for a want that is.
func hideNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New(err.Error())
	}
	return err
}

// write writes a file, all or nothing. Root's is its folder's owner's, or nobody would trust it.
func (f *Folder) write(sub, id string, b []byte) (err error) {
	path := filepath.Join(f.dir, sub, id)
	temp := filepath.Join(f.dir, sub, "."+id+".new") // which is none of the folder's own: no id has a dot
	defer func() {
		if err != nil {
			os.Remove(temp)
		}
	}()
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if os.Geteuid() == 0 {
		owner, of := ownerOf(filepath.Dir(path))
		err = errors.Join(err, of, file.Chown(int(owner), -1))
	}
	if err = errors.Join(err, file.Chmod(mode), file.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

func (f *Folder) remove(sub, id string) error {
	err := os.Remove(filepath.Join(f.dir, sub, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// changes tells what the kernel tells of a folder.
func (f *Folder) changes(ctx context.Context, sub string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		dir := filepath.Join(f.dir, sub)
		w, err := fsnotify.NewWatcher()
		if err == nil {
			defer w.Close()
			err = w.Add(dir)
		}
		if err != nil {
			yield("", fmt.Errorf("runfiles: changes of %s are not heard: %w", dir, err))
			return
		}
		for goOn := yield("", nil); goOn; {
			select {
			case <-ctx.Done():
				return
			case err := <-w.Errors:
				if errors.Is(err, fsnotify.ErrEventOverflow) {
					err = nil // and any may have changed
				}
				goOn = yield("", err) && err == nil
			case e := <-w.Events:
				name := filepath.Base(e.Name)
				switch {
				case e.Name == dir:
					yield("", fmt.Errorf("runfiles: %s is gone", dir))
					return
				case !strings.HasPrefix(name, ".") && e.Op != fsnotify.Chmod:
					goOn = yield(name, nil)
				}
			}
		}
	}
}
