// Package auditor has the commands that read the log, and prove the figures from it: events,
// audit replay, audit reconcile and audit dump. What must hold is for packages domain/audit and
// domain/reconcile to say; here a log is opened, and what was found is shown.
package auditor

import (
	"sandglass/cmd/sandglass/cli"

	"github.com/spf13/cobra"
)

// commands are run in an environment.
type commands struct{ *cli.Env }

// AuditCmd returns audit, with its subcommands.
func AuditCmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove the figures from the log",
		Example: `  sandglass audit replay
  sandglass audit reconcile
  sandglass audit dump > figures.ndjson`,
	}
	cmd.AddCommand(replayCmd(c), reconcileCmd(c), dumpCmd(c))
	return cmd
}

func dumpCmd(c commands) *cobra.Command {
	return &cobra.Command{
		Use:     "dump",
		Short:   "Write every figure of the running daemon, as NDJSON",
		Example: "  sandglass audit dump > figures.ndjson",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.Client(cli.Auditor)
			if err != nil {
				return err
			}
			return cl.Dump(cmd.Context(), c.Stdout)
		},
	}
}
