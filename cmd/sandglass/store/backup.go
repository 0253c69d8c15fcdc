package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sandglass/adapters/sqlite/backup"
	"sandglass/adapters/sqlite/logfile"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/show"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/instant"
	"sandglass/domain/logcopy"
	"sandglass/domain/stream"

	"github.com/spf13/cobra"
)

func backupCmd(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "backup PATH",
		Short: "Copy the event log into a file, beside the daemon, and check the copy",
		Long: `Copy the event log that SANDGLASS_STORE and SANDGLASS_STATE_DIR name into a file, beside the
daemon that writes it. The copy is the log as it was at one moment, whole: it was read from
its begin to its end, and is on the disk, when the command ends well. How far it goes is
printed: what the daemon acknowledges later is not in it.

The orders that nobody has paid yet, with the addresses that were given out for them, are
copied beside it, to PATH-requests, if the log is a file.

Neither a file at PATH nor one at PATH-requests is overwritten. A backup that was broken off
leaves no file at PATH, and at most PATH` + backup.Part + ` and files whose names begin like PATH, which the
next one to PATH overwrites. On the disk of the copy SANDGLASS_FREE_SPACE_FLOOR bytes stay free.

The log of a cluster is copied into such a file too, record by record. "store restore" puts
either back.`,
		Example: `  sandglass store backup /mnt/backup/sandglass-$(date +%F).db`,
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return backUp(cmd.Context(), e, args[0]) },
	}
}

func backUp(ctx context.Context, e *cli.Env, to string) error {
	conf, err := config.Load()
	if err != nil {
		return err
	}
	from := conf.Log()
	m := backup.Maker{Floor: conf.FreeSpaceFloor}
	var c backup.Copy
	if from.Shared() {
		c, err = m.WriteBy(ctx, to, func(part string) error { return copyOut(ctx, from, part) })
	} else {
		c, err = m.Write(ctx, from.Path(), to)
	}
	if err != nil {
		return err
	}
	return printBackup(e, &backedUp{from.String(), to, c.ID, c.Head, c.Recorded, c.Bytes})
}

// copyOut copies the log of a cluster into a file, by way of another log beside it.
func copyOut(ctx context.Context, from storeurl.Place, part string) (err error) {
	dir := part + ".log"
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	made := storeurl.Place{URL: "sqlite:" + filepath.Join(dir, "log")}
	if err := made.Create(ctx); err != nil {
		return err
	}
	if _, err := transfer(ctx, from, made, nil); err != nil {
		return err
	}
	return logfile.CopyTo(ctx, made.Path(), part)
}

// transfer copies what one store holds into another. First, if not nil, is done before that gets the first event.
func transfer(
	ctx context.Context, from, to storeurl.Place, first func(context.Context, storeurl.Store) error,
) (logcopy.Report, error) {
	source, err := from.OpenReadOnly(ctx)
	if err != nil {
		return logcopy.Report{}, err
	}
	defer source.Close()
	target, err := to.Open(ctx)
	if err != nil {
		return logcopy.Report{}, err
	}
	report, err := (&logcopy.Copier{From: source, To: &filling{target, first}}).Copy(ctx)
	return report, errors.Join(err, target.Close())
}

// filling is a store that something is done to before it gets the first event.
type filling struct {
	storeurl.Importer
	first func(context.Context, storeurl.Store) error // nil once it is done
}

// Import implements [logcopy.Destination].
func (f *filling) Import(ctx context.Context, records []stream.Record) error {
	if f.first != nil {
		if err := f.first(ctx, f.Importer); err != nil {
			return err
		}
		f.first = nil
	}
	return f.Importer.Import(ctx, records)
}

// backedUp is what a backup came to, as JSON.
type backedUp struct {
	Store    string          `json:"store"`
	Backup   string          `json:"backup"`
	Log      string          `json:"log"`                   // its id
	Position stream.Position `json:"position"`              // of its last event
	Recorded instant.Time    `json:"recorded_at,omitempty"` // when that was recorded
	Bytes    int64           `json:"bytes"`
}

func printBackup(e *cli.Env, b *backedUp) error {
	if e.JSON {
		return show.JSON(e.Stdout, b)
	}
	return show.Facts(e.Stdout,
		"log", b.Store,
		"backup", b.Backup,
		"up to", endOf(b.Position, b.Recorded),
		"bytes", show.Group(b.Bytes))
}

// endOf says where a log ends.
func endOf(at stream.Position, recorded instant.Time) string {
	if at == 0 {
		return "its begin: it holds nothing"
	}
	return fmt.Sprintf("position %d, recorded %s", at, show.Instant(recorded))
}
