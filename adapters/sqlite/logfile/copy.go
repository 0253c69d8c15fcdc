package logfile

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// CopyTo is [CopyFile] of a log.
func CopyTo(ctx context.Context, path, to string) error {
	return CopyFile(ctx, path, to, func(conn *sqlite.Conn, path string) error {
		_, err := Identify(conn, path)
		return err
	})
}

// CopyFile writes all that was committed to the file at path into another, which must be
// empty, as of one moment: the daemon that writes the file may go on. The copy is one file,
// without a WAL, and is not yet on the disk for good. What is of another kind is not copied.
func CopyFile(ctx context.Context, path, to string, identify func(conn *sqlite.Conn, path string) error) error {
	conn, err := openConn(path, sqlite.OpenReadOnly, "") // query_only would forbid the copy too
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	if err := identify(conn, path); err != nil {
		return err
	}
	err = sqlitex.ExecuteTransient(conn, `VACUUM INTO ?`, &sqlitex.ExecOptions{Args: []any{to}})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("sqlite: copying %s to %s: %w", path, to, err)
	}
	return nil
}
