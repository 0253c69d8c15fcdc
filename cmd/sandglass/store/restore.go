package store

import (
	"context"
	"fmt"
	"os"

	"sandglass/adapters/sqlite/backup"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/show"
	"sandglass/cmd/sandglass/storeurl"

	"github.com/spf13/cobra"
)

// restoreFlags say how to restore.
type restoreFlags struct {
	newer copySide // the log that was written last; the one that is replaced, if not said
	dry   bool
	force bool
}

func restoreCmd(e *cli.Env) *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore PATH",
		Short: "Put a backup in the place of the event log, and say what does not come back",
		Long: `Put a backup, as "store backup" makes it, where SANDGLASS_STORE and SANDGLASS_STATE_DIR say that
the event log is. The daemon must be stopped. The backup is checked first, as by "store
check", and only read. What is at the log's place, also a damaged log, is kept in a folder
beside it; an old -wal is never left beside the new file.

Orders that nobody has paid yet are kept beside the log: those that are there stay, and if
they are missing, those of the backup are put there. Where another log is than the backup's,
nothing is changed without --force; its orders are then kept with it, and not mixed in.

A daemon that starts on the older log finds in the wallet what was paid since, and books it.
What was only in the log does not come back: orders, grants, pauses, prices, plans, moves,
releases and which address is whose. Nor does what was signed of it, "log status" tells: where
the newer log can't be read it is not known what that was, and nothing more is signed until
"log fork". If the newer log can still be read, that is listed, with
the commands that do it again: a script for sh, to be run once the daemon is ready, and again
once buyers have ordered again. Its exit status is how many commands failed. The newer log is
the one that is replaced, or the one of --newer.

Into a cluster a backup is copied record by record, into a namespace that has no log, or has
the beginning of the backup: what a cluster has recorded can't be taken back.`,
		Example: `  sandglass store restore /mnt/backup/sandglass-2026-01-02.db --dry-run
  sandglass store restore /mnt/backup/sandglass-2026-01-02.db`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return restore(cmd.Context(), e, args[0], &f) },
	}
	cmd.Flags().StringVar(&f.newer.url, "newer", "",
		"`URL` of the log that was written last, such as sqlite:PATH, if it is not in its place")
	cmd.Flags().StringVar(&f.newer.namespace, "newer-namespace", "", "what its streams begin with in an esdb:// store")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "check the backup, list what does not come back, and change nothing")
	cmd.Flags().BoolVar(&f.force, "force", false,
		"restore a backup in which a rule does not hold, or of another log: never one that is damaged")
	return cmd
}

// restored is what restoring came to, as JSON.
type restored struct {
	Backup *checked `json:"backup"`
	Lost   *lost    `json:"lost,omitempty"` // of the newer log; none if there is no newer one
	Store  string   `json:"store,omitempty"`
	Kept   string   `json:"kept,omitempty"`   // the folder with what was there
	Marked bool     `json:"marked,omitempty"` // nothing is signed of it until it is forked
}

func restore(ctx context.Context, e *cli.Env, path string, f *restoreFlags) error {
	conf, err := config.Load()
	if err != nil {
		return err
	}
	from, to := storeurl.Place{URL: "sqlite:" + path}, conf.Log()
	var r restored
	if r.Backup, err = check(ctx, e, from, &conf); err != nil {
		return err
	}
	r.Backup.checkRequests(backup.Requests(path))
	if r.Backup.damaged || r.Backup.Count > 0 && !f.force {
		err := r.Backup.print(e)
		fmt.Fprintf(e.Stderr, "sandglass: nothing was changed: %s is not whole, look for another backup\n", path)
		return err
	}
	other, err := otherLog(ctx, to, r.Backup.Log)
	if err != nil {
		return err
	}
	if other != "" && !f.force {
		return fmt.Errorf("nothing was changed: the log at %s is the log %s, and the backup is of the log %s: to put it there "+
			"nevertheless give --force, which moves the orders of the other log that nobody has paid to where that is kept",
			to.Path(), other, r.Backup.Log)
	}
	newer, there, err := newerLog(f, &conf, to)
	if err != nil {
		return err
	}
	if there {
		r.Lost = lostSince(ctx, from, newer)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !f.dry {
		p := &putting{conf: &conf, backup: &r, path: path, to: to, other: other != ""}
		if there && !p.other {
			p.newer = &newer
		}
		if r.Kept, err = p.put(ctx); err != nil {
			return err
		}
		r.Store, r.Marked = to.String(), p.marked
	}
	return r.print(e)
}

// otherLog returns the id of the log that is at a place, if it is another one than that of this id.
// Nothing is said of a log that is missing or can't be read, and of a cluster, which takes no other.
func otherLog(ctx context.Context, p storeurl.Place, id string) (string, error) {
	if p.Shared() {
		return "", nil
	}
	s, err := p.OpenReadOnly(ctx)
	if err != nil {
		return "", ctx.Err()
	}
	if s.ID() == id {
		return "", s.Close()
	}
	return s.ID(), s.Close()
}

// newerLog returns which log was written last, if there is one.
func newerLog(f *restoreFlags, conf *config.Config, to storeurl.Place) (p storeurl.Place, there bool, err error) {
	if f.newer.url != "" {
		p, err = f.newer.place("--newer", conf)
		return p, true, err
	}
	if to.Shared() {
		return to, false, nil // it holds nothing else than the backup
	}
	_, err = os.Stat(to.Path())
	return to, err == nil, nil
}

// print prints a script that does again what is lost, with all else as its comments.
func (r *restored) print(e *cli.Env) error {
	if e.JSON {
		return show.JSON(e.Stdout, r)
	}
	if err := r.Lost.print(e); err != nil {
		return err
	}
	store, newer, signed := r.Store, "", ""
	if store == "" {
		store = "nothing was changed"
	}
	if r.Marked {
		signed = "what was signed since is not known: nothing more is, until this is run: sandglass log fork --reason TEXT"
	}
	if r.Lost == nil {
		newer = "there is none: what does not come back is not known"
	}
	return show.Facts(e.Stdout,
		"# backup", r.Backup.Store,
		"# up to", endOf(r.Backup.Position, r.Backup.Recorded),
		"# newer log", newer,
		"# restored", store,
		"# kept", r.Kept,
		"# signed", signed)
}
