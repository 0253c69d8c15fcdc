package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Strict makes whatever is not understood below cmd an error of [Usage], with a word on what
// would be.
func Strict(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return Usage("%w: see %s --help", inOurWords(err), cmd.CommandPath())
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
			return Usage("%w: want %s", err, cmd.UseLine())
		}
		if err := errors.Join(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()); err != nil {
			return Usage("%w: see %s --help", err, cmd.CommandPath())
		}
		return nil
	}
	for _, sub := range cmd.Commands() {
		Strict(sub)
	}
}

// inOurWords returns what is wrong with a flag, without the words of Go for a number.
func inOurWords(err error) error {
	flag, wrong := errors.AsType[*pflag.InvalidValueError](err)
	if _, number := errors.AsType[*strconv.NumError](err); !wrong || !number {
		return err
	}
	return fmt.Errorf("%q is not what --%s takes: want a whole number, in digits alone, such as 1000",
		flag.GetValue(), flag.GetFlag().Name)
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
	return Usage("unknown command %q of %q: %ssee %s --help", args[0], cmd.CommandPath(), near, cmd.CommandPath())
}
