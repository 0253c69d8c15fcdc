// Package signer keeps the key by which descriptions of invoices are signed.
package signer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sandglass/domain/request"
)

// File holds the key of the MAC in the descriptions of invoices: 32 random bytes. On
// several hosts of one log it is the same file.
const File = "description.key"

// Load reads the key, which it makes at the first start.
func Load(dir string) (s request.Signer, err error) {
	path := filepath.Join(dir, File)
	key, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		rand.Read(s.Key[:])
		return s, writeKey(path, s.Key[:])
	case err != nil:
		return s, fmt.Errorf("the key of descriptions: %w", err)
	case len(key) != len(s.Key):
		return s, fmt.Errorf("%s has %d bytes, want %d random ones: put back the one that was there, or remove it, "+
			"and what descriptions say that were written before is not trusted", path, len(key), len(s.Key))
	}
	s.Key = [32]byte(key)
	return s, nil
}

// writeKey writes a key durably, all of it or nothing.
func writeKey(path string, key []byte) error {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("the key of descriptions: %w", err)
	}
	_, err = file.Write(key)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("the key of descriptions: %w", err)
	}
	return nil
}

// syncFolder has what was renamed in a folder outlast a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
