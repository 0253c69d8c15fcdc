// Package auditor has the commands that read the log, prove the figures from it, and give them to
// others: events, audit replay, reconcile, dump, export and report. What must hold is for packages
// domain/audit and domain/reconcile to say, how books are written for adapters/journal and statement; here a log
// is opened, and what was found is shown.
package auditor

import (
	"sandglass/cmd/sandglass/auditor/proving"
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
  sandglass audit verify --checkpoint friday.note
  sandglass audit dump > figures.ndjson
  sandglass audit export --format csv --out books.csv
  sandglass audit report --from 2026-01-01 --to 2026-02-01`,
	}
	cmd.AddCommand(replayCmd(c), reconcileCmd(c), dumpCmd(c), exportCmd(c), reportCmd(c), proving.VerifyCmd(e))
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
