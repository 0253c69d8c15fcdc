package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"sandglass/domain/stream"
)

// names are the files that the names of a log meant when it was opened. While they are
// open the kernel gives their numbers to no other.
type names struct {
	file    fs.FileInfo
	walPath string
	wal     fs.FileInfo // nil if it is not watched: a reader does not write to it
	lost    atomic.Pointer[error]
}

// noteFile follows links as SQLite does, which puts the WAL beside the file itself.
func (n *names) noteFile(path string) error {
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("sqlite: the event log: %w", err)
	}
	n.walPath = file + "-wal"
	if n.file, err = os.Stat(file); err != nil {
		return fmt.Errorf("sqlite: the event log: %w", err)
	}
	return nil
}

// Note has the WAL watched too, for the writer: SQLite made it when the log was first read,
// and keeps it while a connection is open.
func (h *Hold) Note() (err error) {
	if h.names.wal, err = os.Stat(h.names.walPath); err != nil {
		return fmt.Errorf("sqlite: the WAL of the log: %w", err)
	}
	return nil
}

// Check returns an error that wraps [stream.ErrReadOnly] if the names of the log mean other
// files than those that are open: what is appended would be lost. What another program
// writes to the file by SQLite is noticed by its data_version; what overwrites the bytes of
// the file in place is not noticed. Any goroutine may ask.
func (h *Hold) Check() error {
	if err := h.names.lost.Load(); err != nil {
		return *err
	}
	if err := sameFile(h.path, h.names.file); err != nil {
		return h.Lose(fmt.Errorf("the log %s %w: stop the daemon, put the log to be used there, without an old -wal "+
			"or -shm beside it, and start the daemon", h.path, err))
	}
	if h.names.wal == nil {
		return nil
	}
	if err := sameFile(h.names.walPath, h.names.wal); err != nil {
		return h.Lose(fmt.Errorf("%s, with the last events of the log, %w: stop the daemon, put it back or restore a backup, "+
			"and start the daemon", h.names.walPath, err))
	}
	return nil
}

// sameFile says what became of the file at path, if it is not the one that was there.
func sameFile(path string, was fs.FileInfo) error {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("was moved away or deleted while it was open")
	case err != nil:
		return fmt.Errorf("can't be looked at any more: %w", err)
	case !os.SameFile(info, was):
		return errors.New("was replaced by another file while it was open")
	}
	return nil
}

// Lose ends the writing for good and returns why, as does every check from now on.
func (h *Hold) Lose(why error) error {
	why = fmt.Errorf("%w: %w", stream.ErrReadOnly, why)
	h.names.lost.CompareAndSwap(nil, &why)
	return *h.names.lost.Load()
}

// Lost reports whether a check has failed.
func (h *Hold) Lost() bool { return h.names.lost.Load() != nil }
