package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sandglass/adapters/runfiles"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/enforce"
	"sandglass/domain/instant"

	"github.com/spf13/cobra"
)

func statusCmd(e *cli.Env) *cobra.Command {
	var differing bool
	cmd := &cobra.Command{
		Use:   "status [ID...]",
		Short: "Compare what is wanted on this machine with what is",
		Long: `Compare what is wanted of each resource on this machine with what the keeper found.

It reads SANDGLASS_RUN_DIR and asks nobody, so that it works while the daemon is dead, and while
the keeper is. Whoever may read that folder may use it: root, and the users of both.

  WANTED  up, down or gone; "down" of what has run out, whatever its want says; "?" where the want
          is not to be followed
  IS      up, down, gone, starting or stopping; "unknown" if nobody can tell, which is never down
  FOR     for how long it has been so; of what starts, for how long it has not been up
  LEFT    until it is stopped, unless the daemon says otherwise by then
  TRIES   that failed since it last was as wanted; the keeper tries again within a minute
  WHY     why it is not as wanted, or how it ended

The exit status is 1 if anything is not as wanted, or no keeper runs.`,
		Example: `  sandglass keeper status
  sandglass keeper status web-1 --json
  sandglass keeper status --differing || mail -s "not as wanted" root`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			c, err := config.LoadKeeper()
			if err != nil {
				return err
			}
			r, err := look(c, ids)
			if err != nil {
				return err
			}
			if differing {
				r.Resources = slices.DeleteFunc(r.Resources, func(l line) bool { return l.AsWanted })
			}
			return r.print(e)
		},
	}
	cmd.Flags().BoolVar(&differing, "differing", false, "show only what is not as wanted")
	return cmd
}

// report is what is wanted, and what is.
type report struct {
	Keeper    bool   `json:"keeper_runs"`
	Wants     int    `json:"wants"`
	Lost      int    `json:"lost"` // wants of what the log does not know any more
	Differing int    `json:"differing"`
	Resources []line `json:"resources"`
}

// line is one resource. Times are in milliseconds.
type line struct {
	ID         string          `json:"id"`
	Enforcer   string          `json:"enforcer,omitempty"`
	Unit       string          `json:"unit,omitempty"`
	Wanted     enforce.Verb    `json:"wanted,omitempty"` // empty: the want is not to be followed
	AsWanted   bool            `json:"as_wanted"`
	Is         enforce.State   `json:"is,omitempty"`         // empty: the keeper has said nothing of it
	For        instant.Millis  `json:"for_ms,omitempty"`     // since it is so
	Left       *instant.Millis `json:"left_ms,omitempty"`    // until it is stopped
	Generation int64           `json:"generation,omitempty"` // of the want
	Acted      int64           `json:"acted_on,omitempty"`   // the generation on which the keeper acted last
	Tries      int             `json:"tries,omitempty"`
	Lost       bool            `json:"lost,omitempty"` // the log does not know it any more
	Why        string          `json:"why,omitempty"`
	Invocation string          `json:"invocation,omitempty"`
}

// look reads the folder: all of it, or some resources.
func look(c config.Keeper, ids []string) (r report, err error) {
	boot, err := bootID(c)
	if err != nil {
		return r, err
	}
	folder := runfiles.At(c.RunDir)
	wants, err := folder.Wants()
	if err != nil {
		return r, fmt.Errorf("%w: is %s_RUN_DIR the folder of the keeper, and may you read it?", err, config.Prefix)
	}
	founds, err := folder.Founds()
	if err != nil {
		return r, err
	}
	if r.Keeper, err = folder.IsKept(); err != nil {
		return r, err
	}
	r.Wants = len(wants)
	all := slices.Concat(wants, founds)
	slices.Sort(all)
	all = slices.Compact(all)
	for _, id := range ids {
		if !slices.Contains(all, id) {
			return r, fmt.Errorf("nothing is wanted of %q on this machine", id)
		}
	}
	r.Resources = []line{} // an empty list in JSON
	for _, id := range all {
		if len(ids) > 0 && !slices.Contains(ids, id) {
			continue
		}
		l := compare(folder, id, boot, sinceBoot())
		if !l.AsWanted {
			r.Differing++
		}
		if l.Lost {
			r.Lost++
		}
		r.Resources = append(r.Resources, l)
	}
	return r, nil
}

// compare compares what is wanted of a resource with what it is.
func compare(folder *runfiles.Folder, id, boot string, now enforce.Boottime) line {
	l := line{ID: id}
	var whyIs string
	is, err := folder.Is(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		whyIs = err.Error()
	case is.Boot != boot:
		whyIs = "what the keeper said of it is of another boot"
	default:
		l.Is, l.Acted, l.Tries, l.Invocation = is.State, is.Generation, is.Tries, is.Invocation
		l.For = instant.Millis(max(0, now-is.Since))
	}
	if l.Is == "" {
		is = new(enforce.Is) // nothing is known of it
	}
	var why string
	w, err := folder.Want(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "its want has vanished"
	case err != nil:
		why = err.Error()
	default:
		l.Enforcer, l.Unit, l.Generation, l.Lost = w.Enforcer, w.Unit, w.Generation, w.Lost
		if l.Wanted, why = w.Verb(is, boot, now); l.Wanted == enforce.Start {
			left := instant.Millis(w.End(is) - now)
			l.Left = &left
		}
	}
	if is.Why != "" {
		why = is.Why
	}
	why = strings.TrimSpace(why + " " + whyIs)
	if l.Lost {
		why = strings.TrimSpace("the log does not know it any more " + why)
	}
	l.Why = why
	l.AsWanted = l.Wanted != "" && l.Wanted.IsDone(l.Is)
	return l
}

func (r report) print(e *cli.Env) error {
	var err error
	if e.JSON {
		err = show.JSON(e.Stdout, r)
	} else {
		err = r.table(e)
	}
	if err == nil && (r.Differing > 0 || !r.Keeper) {
		err = cli.ErrDifference
	}
	return err
}

func (r report) table(e *cli.Env) error {
	rows := make([]string, len(r.Resources))
	for i, l := range r.Resources {
		wanted, left, since := string(l.Wanted), "", ""
		if wanted == "" {
			wanted = "?"
		}
		if l.Left != nil {
			left = show.Left(*l.Left)
		}
		if l.Is != "" {
			since = show.Left(l.For)
		}
		enforcer := l.Enforcer
		if l.Unit != "" {
			enforcer += ":" + l.Unit
		}
		tries := ""
		if l.Tries > 0 {
			tries = fmt.Sprint(l.Tries)
		}
		rows[i] = show.Cells(l.ID, enforcer, wanted, string(l.Is), since, left, tries, l.Why)
	}
	if err := show.Table(e.Stdout, "RESOURCE\tENFORCER\tWANTED\tIS\tFOR\tLEFT\tTRIES\tWHY", rows); err != nil {
		return err
	}
	keeper := "a keeper runs"
	if !r.Keeper {
		keeper = "NO KEEPER RUNS: nothing is started, and nothing that runs out is stopped"
	}
	_, err := fmt.Fprintf(e.Stdout, "%s, %d not as wanted; %s\n", show.Count(int64(r.Wants), "want"), r.Differing, keeper)
	if err == nil && r.Lost > 0 {
		_, err = fmt.Fprintf(e.Stdout, "%d lost to the log, and kept for whoever orders them again: "+
			"\"sandglass keeper remove ID\" removes what one holds\n", r.Lost)
	}
	return err
}
