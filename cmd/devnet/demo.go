package main

import (
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"sandglass/cmd/devnet/tour"
)

func demoCommand() *cobra.Command {
	var binary string
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show Sandglass at work on a network of its own",
		Long: `Start the network and the daemon on it, order two hours as a newcomer would, pay from bob's
wallet, and show the time drain until Ctrl-C. With --once do the whole tour without a
person and check each step. Everything is gone at the end, however it ends.`,
		Example: "  devnet demo --sandglass bin/sandglass\n  devnet demo --sandglass bin/sandglass --once",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The kernel ends our children with the thread that started them: it has
			// to be one that lasts as long as we do.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			path, err := filepath.Abs(binary)
			if err != nil {
				return err
			}
			n := &nodes{progress: cmd.ErrOrStderr()}
			t := &tour.Tour{
				Sandglass: path, Out: cmd.OutOrStdout(), Progress: n.progress,
				Title: "a private network: btcd, alice and bob", Start: n.start, Control: n.leaveInfo,
			}
			if once {
				return t.Once(cmd.Context())
			}
			return t.Stay(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&binary, "sandglass", "", "the `path` of the sandglass binary")
	cmd.Flags().BoolVar(&once, "once", false, "do the whole tour without a person, check it, and end")
	if err := cmd.MarkFlagRequired("sandglass"); err != nil {
		panic(err) // no such flag: a bug of ours
	}
	return cmd
}
