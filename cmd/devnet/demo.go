package main

import (
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"sandglass/cmd/devnet/tour"
)

func demoCommand() *cobra.Command {
	var binary string
	var once, quick bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show Sandglass at work on a network of its own",
		Long: `Start the network and the daemon on it, order two hours as a newcomer would, pay from bob's
wallet, and show the time drain until Ctrl-C. With --once do the whole tour without a
person and check each step. With --quick do that on a simulated network, for which no
node is built. Everything is gone at the end, however it ends.`,
		Example: `  devnet demo --sandglass bin/sandglass
  devnet demo --sandglass bin/sandglass --once
  devnet demo --sandglass bin/sandglass --quick`,
		Args: cobra.NoArgs,
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
			if quick {
				fmt.Fprint(t.Out, simulated)
				t.Title, t.Start = "a simulated network", startQuick
			}
			if once || quick {
				return t.Once(cmd.Context())
			}
			return t.Stay(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&binary, "sandglass", "", "the `path` of the sandglass binary")
	cmd.Flags().BoolVar(&once, "once", false, "do the whole tour without a person, check it, and end")
	cmd.Flags().BoolVar(&quick, "quick", false, "do that without real nodes: with a simulated lnd and a simulated chain")
	cmd.MarkFlagsMutuallyExclusive("once", "quick")
	if err := cmd.MarkFlagRequired("sandglass"); err != nil {
		panic(err) // no such flag: a bug of ours
	}
	return cmd
}
