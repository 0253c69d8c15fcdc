package operator

import (
	"errors"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"

	"github.com/spf13/cobra"
)

// errNotReady says that a part of the daemon is not ready, which has been printed.
var errNotReady = errors.New("it is not ready: the manual's \"What /readyz says\" has what to do")

// StatusCmd returns status.
func StatusCmd(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show whether the daemon is ready, and what it waits for",
		Long: `Show whether the parts of the daemon are ready: whether it takes orders, and money. With the
auditor's token or the operator's, what each lacks, and what to do; without, no more than
strangers are told. The exit status is 1 where one is not ready.`,
		Example: `  sandglass status
  sandglass status --json --token-file /etc/sandglass/operator.token`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := e.Client(cli.Known)
			if err != nil {
				return err
			}
			r, err := cl.Ready(cmd.Context())
			if err != nil {
				return err
			}
			if err := printReady(e, r); err != nil {
				return err
			}
			if !r.Ready {
				return errNotReady
			}
			return nil
		},
	}
}

func printReady(e *cli.Env, r wire.Ready) error {
	if e.JSON {
		return show.JSON(e.Stdout, r)
	}
	rows := make([]string, len(r.Components))
	for i, c := range r.Components {
		ready := "no"
		if c.Ready {
			ready = "yes"
		}
		rows[i] = show.Cells(c.Name, ready, c.State, show.Instant(c.Since), c.Advice)
	}
	return show.Table(e.Stdout, "PART\tREADY\tSTATE\tSINCE\tWHAT TO DO", rows)
}
