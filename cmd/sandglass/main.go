// Command sandglass is the one binary: the daemon, and the tools of its payers,
// operators and auditors, which speak to it over HTTP.
//
// Exit status: 0 is success, 1 an error or a difference that was found, 2 a command
// that was not understood, 3 one that began what it is to be run again for.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"sandglass/cmd/sandglass/auditor"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/clock"
	"sandglass/cmd/sandglass/keeper"
	"sandglass/cmd/sandglass/log"
	"sandglass/cmd/sandglass/operator"
	"sandglass/cmd/sandglass/payer"
	"sandglass/cmd/sandglass/purchase"
	"sandglass/cmd/sandglass/receipt"
	"sandglass/cmd/sandglass/serve"
	"sandglass/cmd/sandglass/store"

	"github.com/spf13/cobra"
)

func main() {
	err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	os.Exit(cli.Status(err, os.Stderr))
}

// run executes one command. The first signal ends ctx, the second the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := rootCmd(&cli.Env{Stdin: stdin, Stdout: stdout, Stderr: stderr})
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

// errInterrupted says that a signal ended the command.
var errInterrupted = errors.New("interrupted")

func rootCmd(e *cli.Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "sandglass",
		Short: "Prepaid time for rented computers, paid in bitcoin",
		Long: `Sandglass sells time on rented computers, prepaid in bitcoin over Lightning, and proves
every millisatoshi and every millisecond from an immutable log.

The first commands run the daemon and keep its log; the others ask it over HTTP, at --url.`,
		Example: `  sandglass init && sandglass serve
  sandglass plan publish small --price 3600sat --per 1h --min 1m --max 30d --warn 10m --grace 1d
  sandglass order small --time 2h --wait
  sandglass resource show ID --follow
  sandglass audit replay`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
	}
	e.AddFlags(root)
	root.AddGroup(&cobra.Group{ID: "daemon", Title: "The daemon:"}, &cobra.Group{ID: "payer", Title: "Payers and holders:"},
		&cobra.Group{ID: "operator", Title: "Operators:"}, &cobra.Group{ID: "auditor", Title: "Auditors:"})
	add := func(group string, cmds ...*cobra.Command) {
		for _, cmd := range cmds {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add("daemon", store.InitCmd(), serve.Cmd(), store.Cmd(e), log.Cmd(e), clock.Cmd(), keeper.Cmd(e))
	resource := payer.ResourceCmd(e)
	resource.AddCommand(operator.ResourceCmds(e)...)
	add("payer", payer.OrderCmd(e), purchase.Cmd(e), resource, payer.PaymentCmd(e),
		receipt.Cmd(e))
	add("operator", operator.StatusCmd(e), operator.PlanCmd(e), operator.UnallocatedCmd(e), operator.AddressCmd(e),
		operator.WalletCmd(e))
	add("auditor", auditor.EventsCmd(e), auditor.AuditCmd(e))
	root.AddCommand(versionCmd(e))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	cli.Strict(root)
	return root
}
