// Package paramfiles keeps the values of parameters in a folder beside the log: one file for each hash
// of a resource, which its owner alone can read. A file is written beside its place, synced, and renamed into it. What is
// deleted is gone from the folder; what a disk keeps of it is the operator's to know.
package paramfiles

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"sandglass/domain/billing/params"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
)

// Dir is the name of the folder in the folder of the daemon's state.
const Dir = "params"

// Folder is a [params.Store].
type Folder struct {
	dir  string
	size atomic.Int64
}

// file is what is in a file.
type file struct {
	Resource string            `json:"resource"`
	Salt     string            `json:"salt"`
	Values   map[string]string `json:"values"`
}

// Open returns the folder in a folder of state. It is made with the first that is kept.
func Open(state string) (*Folder, error) {
	f := &Folder{dir: filepath.Join(state, Dir)}
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".new") { // a write that was broken off
			err = errors.Join(err, os.Remove(filepath.Join(f.dir, e.Name())))
		} else if info, infoErr := e.Info(); infoErr == nil {
			f.size.Add(info.Size())
		}
	}
	return f, err
}

// path is that of a file: the id of a resource has no dot.
func (f *Folder) path(r params.Ref) string {
	return filepath.Join(f.dir, string(r.Resource)+"."+hex.EncodeToString(r.Hash[:]))
}

// Keep implements [params.Store].
func (f *Folder) Keep(k *params.Kept) error {
	if err := f.keep(k); err != nil {
		return fmt.Errorf("params: keeping those of %s: %w", k.Resource, err)
	}
	return nil
}

func (f *Folder) keep(k *params.Kept) error {
	b, err := json.MarshalIndent(file{string(k.Resource), hex.EncodeToString(k.Salt[:]), k.Values}, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	err = os.Mkdir(f.dir, 0o700)
	if err == nil {
		err = sync(filepath.Dir(f.dir))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	path := f.path(k.Ref())
	_, missing := os.Lstat(path)
	if err := write(path+".new", b); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	if missing != nil {
		f.size.Add(int64(len(b)))
	}
	return sync(f.dir)
}

func write(path string, b []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	return errors.Join(err, file.Sync(), file.Close())
}

// sync has what was renamed in a folder outlast a power cut.
func sync(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Find implements [params.Store]. What is not what its name says is an error.
func (f *Folder) Find(r params.Ref) (*params.Kept, error) {
	b, err := os.ReadFile(f.path(r))
	if err != nil {
		return nil, err
	}
	var in file
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("params: %s is damaged: %w", f.path(r), err)
	}
	k := &params.Kept{Resource: resource.ID(in.Resource), Values: param.Values(in.Values)}
	salt, err := hex.DecodeString(in.Salt)
	if copy(k.Salt[:], salt); err != nil || len(salt) != len(k.Salt) || k.Ref() != r {
		return nil, fmt.Errorf("params: %s is damaged: it is not what its name says: the holder sets them again", f.path(r))
	}
	return k, nil
}

// Forget implements [params.Store].
func (f *Folder) Forget(r params.Ref) error {
	info, err := os.Lstat(f.path(r))
	if err == nil {
		if err = os.Remove(f.path(r)); err == nil {
			f.size.Add(-info.Size())
			err = sync(f.dir)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Size implements [params.Store].
func (f *Folder) Size() int64 { return f.size.Load() }

// All implements [params.Store].
func (f *Folder) All() iter.Seq2[params.Ref, error] {
	return func(yield func(params.Ref, error) bool) {
		entries, err := os.ReadDir(f.dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				yield(params.Ref{}, err)
			}
			return
		}
		for _, e := range entries {
			id, text, _ := strings.Cut(e.Name(), ".")
			hash, err := hex.DecodeString(text)
			if err != nil || len(hash) != len(config.Hash{}) || !resource.IsName(id) {
				continue // none of ours
			}
			if !yield(params.Ref{Resource: resource.ID(id), Hash: config.Hash(hash)}, nil) {
				return
			}
		}
	}
}
