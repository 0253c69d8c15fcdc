// Package auditor has the commands that read the log, prove the figures from it, and give them to
// others: events, audit replay, reconcile, dump and export. What must hold is for packages
// domain/audit and domain/reconcile to say, how books are written for adapters/journal; here a log
// is opened, and what was found is shown.
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
  sandglass audit dump > figures.ndjson
  sandglass audit export --format csv --out books.csv`,
	}
	cmd.AddCommand(replayCmd(c), reconcileCmd(c), dumpCmd(c), exportCmd(c))
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
