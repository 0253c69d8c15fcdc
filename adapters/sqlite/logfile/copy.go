package logfile

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// CopyTo writes all that was committed to the log at path into another file, which must be
// empty, as of one moment: the daemon that writes the log may go on. The copy is one file,
// without a WAL, and is not yet on the disk for good.
func CopyTo(ctx context.Context, path, to string) error {
	conn, err := openConn(path, sqlite.OpenReadOnly, "") // query_only would forbid the copy too
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	if _, err := Identify(conn, path); err != nil {
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
