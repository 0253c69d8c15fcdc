// Command sandglass is the one binary: the daemon, and the tools of its payers,
// operators and auditors, which speak to it over HTTP.
//
// Exit status: 0 is success, 1 an error or a difference that was found, 2 a command
// that was not understood.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(status(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr), os.Stderr))
}

// run executes one command. The first signal ends ctx, the second the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := rootCmd(&cli{stdin: stdin, stdout: stdout, stderr: stderr})
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

// Errors that have an exit status or a form of their own.
var (
	errInterrupted = errors.New("interrupted")
	errDifference  = errors.New("differences were found") // they have been printed
)

// usageError says that a command was not understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// status prints err and returns the exit status that stands for it.
func status(err error, stderr io.Writer) int {
	var u usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errDifference):
		return 1
	}
	fmt.Fprintln(stderr, "sandglass:", message(err))
	if errors.As(err, &u) {
		return 2
	}
	return 1
}

func rootCmd(c *cli) *cobra.Command {
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
	c.flags(root)
	root.AddGroup(&cobra.Group{ID: "daemon", Title: "The daemon:"}, &cobra.Group{ID: "payer", Title: "Payers and holders:"},
		&cobra.Group{ID: "operator", Title: "Operators:"}, &cobra.Group{ID: "auditor", Title: "Auditors:"})
	add := func(group string, cmds ...*cobra.Command) {
		for _, cmd := range cmds {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add("daemon", initCmd(), serveCmd(), storeCmd(c))
	add("payer", orderCmd(c), resourceCmd(c), paymentCmd(c))
	add("operator", planCmd(c), unallocatedCmd(c))
	add("auditor", eventsCmd(c), auditCmd(c))
	root.AddCommand(versionCmd(c))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	strict(root)
	return root
}

// strict makes whatever is not understood below cmd a [usageError], with a word on what
// would be.
func strict(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w: see %s --help", err, cmd.CommandPath())
	})
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args, cmd.RunE, cmd.SuggestionsMinimumDistance = cobra.ArbitraryArgs, unknown, 2
	}
	check := cmd.Args
	if check == nil {
		check = cobra.ArbitraryArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage("%w: want %s", err, cmd.UseLine())
		}
		if err := errors.Join(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()); err != nil {
			return usage("%w: see %s --help", err, cmd.CommandPath())
		}
		return nil
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// unknown is run by a command that only has subcommands.
func unknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	near := ""
	if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
		near = fmt.Sprintf("did you mean %q? ", names[0])
	}
	return usage("unknown command %q of %q: %ssee %s --help", args[0], cmd.CommandPath(), near, cmd.CommandPath())
}
