// Package proving has the command that holds a log against what was kept of it elsewhere.
package proving

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"sandglass/adapters/tilefiles"
	"sandglass/cmd/sandglass/auditor/source"
	"sandglass/cmd/sandglass/cli"
	"sandglass/domain/proof/verify"

	"github.com/spf13/cobra"
)

// tellEvery is after how many events a terminal is told; a log is, far more seldom.
const tellEvery = 50_000

// command is run in an environment.
type command struct{ *cli.Env }

// verifyFlags say which log is held against what.
type verifyFlags struct {
	source.Flags
	Against
	tiles, write string
}

// VerifyCmd returns audit verify.
func VerifyCmd(e *cli.Env) *cobra.Command {
	c := command{e}
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Hold the log against checkpoints that were kept elsewhere",
		Long: `Hash the log from its first event on, and hold it against checkpoints: signed lines that say
how many events it had, and what their root was. Whatever was changed since in any field of any
event, was added, dropped, moved or cut off, makes another root.

A checkpoint is as good as the place where it was kept: take one that whoever could change the
log could not. With --key it has to be signed by that key too; of a store its own latest
checkpoint is taken as well. A checkpoint tells between which events the log was changed; with
the tiles of its tree in a folder, the first event that is another is named, by its index from
0, its stream and its revision. Such a folder is what --write-tiles writes of a log that is as
it should be, or a copy of /log/N/tile/ of a daemon; of the folder log/ in a daemon's state,
the 256 events are named of which one is another.

A log's key is its operator's, who could sign one history for you and another for the next. With
--policy each checkpoint has to be cosigned by enough witnesses, who saw no other: the file is that
of "receipt verify --help", and cosigned is what /log/N/checkpoint has, once they have. What a
store keeps, and an invoice, has no cosignatures: of these nothing more is asked.

An invoice has one in short, which its payer's wallet keeps: of how many events, and the first
24 bytes of the root. --invoice holds the log against it. It does not say of which name of the
log it is: where the log was forked, one of what was left behind differs.

The log comes from the daemon, from its store with --store, or from NDJSON with --log, which
must begin with the first event. The exit status is 0 if all that it was held against agrees, 1
if something does not or can't be read, and 2 if the command was not understood.`,
		Example: `  sandglass audit verify --checkpoint friday.note --key "$(cat vkey)"
  sandglass audit verify --checkpoint friday.note --policy policy.txt
  sandglass audit verify --invoice lnbc20u1p… --invoice lnbc5u1p…
  sandglass audit verify --store sqlite:/var/lib/sandglass/sandglass.db --checkpoint friday.note --write-tiles tiles
  sandglass audit verify --log log.ndjson --checkpoint friday.note --tiles tiles --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.verify(cmd.Context(), &f) },
	}
	f.Flags.Add(cmd)
	f.Against.Add(cmd)
	cmd.Flags().StringVar(&f.tiles, "tiles", "", "name the event that differs by the tiles, or a daemon's blocks, in this `folder`")
	cmd.Flags().StringVar(&f.write, "write-tiles", "", "write the lowest tiles of the log into this `folder`, which has none yet")
	return cmd
}

func (c command) verify(ctx context.Context, f *verifyFlags) error {
	if err := f.Flags.Check(); err != nil {
		return err
	}
	l := &verify.Log{}
	if err := f.known(l); err != nil {
		return err
	}
	var out *tilefiles.Exported
	if f.write != "" {
		if _, err := os.Stat(filepath.Join(f.write, "tile")); err == nil {
			return cli.Usage("--write-tiles %s: there are tiles already", f.write)
		}
		out = tilefiles.Export(f.write)
		l.See = out.Add
	}
	report, err := f.Hold(ctx, c.Env, &f.Flags, l)
	if err == nil && out != nil {
		err = out.Flush()
	}
	if err != nil {
		return err
	}
	return c.printProof(&report)
}

// known finds the tiles, or blocks, that say which event is another.
func (f *verifyFlags) known(l *verify.Log) error {
	if f.tiles == "" {
		return nil
	}
	blocks, err := tilefiles.Roots(f.tiles)
	if err == nil {
		l.Blocks = blocks
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(f.tiles, "tile", "0")); err != nil {
		return cli.Usage("--tiles %s: there is neither a folder tile/0 in it, nor a file %s", f.tiles, tilefiles.Name)
	}
	l.Tiles = tilefiles.Export(f.tiles)
	return nil
}
