package keeper

import (
	"errors"
	"fmt"
	"io/fs"

	"sandglass/adapters/runfiles"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/enforce"

	"github.com/spf13/cobra"
)

func removeCmd(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Have the keeper remove what a lost resource holds",
		Long: `Have the keeper remove what a resource holds that the log does not know any more: as after an
older backup was put in the log's place. "sandglass keeper status" tells which, once their time is
over. Nobody can have it back then. If its buyer may order it again, by the same id, leave it.

It leaves a want in SANDGLASS_RUN_DIR, as the daemon would, and so is for root or the daemon's
user. What the log knows is released instead, by "sandglass resource release".`,
		Example: `  sandglass keeper remove web-3`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := config.LoadKeeper()
			if err != nil {
				return err
			}
			return remove(e, runfiles.At(c.RunDir), args[0])
		},
	}
}

func remove(e *cli.Env, folder *runfiles.Folder, id string) error {
	want, err := folder.Want(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("nothing is wanted of %s on this machine: sandglass keeper status lists what is", id)
	case err != nil:
		return fmt.Errorf("the want of %.80q: %w", id, err)
	case !want.Lost:
		return fmt.Errorf("%s is not known to be lost to the log: to remove what it holds, sandglass resource release %s; "+
			"if the log does not know it, wait until its time is over", id, id)
	case want.State != enforce.Gone:
		want.State = enforce.Gone
		want.Generation++
		if err := folder.Write(want); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(e.Stdout, "%s is to be removed: sandglass keeper status %s\n", id, id)
	return err
}
