// Package clock has the commands about the clock of a daemon's machine.
package clock

import (
	"context"
	"fmt"
	"time"

	"sandglass/adapters/clock"
	"sandglass/cmd/sandglass/config"

	"github.com/spf13/cobra"
)

// Cmd returns clock.
func Cmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "clock",
		Short:   "The clock of this machine, where the daemon doubts it",
		Example: "  sandglass clock accept",
	}
	cmd.AddCommand(acceptCmd())
	return cmd
}

// patience is how long a daemon that runs may take to hear of it.
const patience = 5 * time.Second

func acceptCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "accept",
		Short: "Tell the daemon that this machine's clock is right",
		Long: `Tell the daemon of this machine that the clock is right, so that it doubts it no more.

A daemon whose clock was set by more than SANDGLASS_MAX_STEP goes on with its own time, takes
money at it, and releases nothing: /readyz says so. It believes the clock by itself after ten
minutes in which the system is synchronised and lnd has a recent block, and after an hour
anyway. If you know that it is right, this spares the wait. What the daemon's own time did
not count is then a gap, billed or forgiven as SANDGLASS_GAP_POLICY says: look at the clock
first.

It writes to the state folder, as whoever may (root). A daemon that does not run takes it at
its start.`,
		Example: `  timedatectl
  sandglass clock accept
  SANDGLASS_STATE_DIR=/var/lib/sandglass sandglass clock accept`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load()
			if err != nil {
				return err
			}
			at, err := clock.Accept(c.StateDir, c.BootID)
			if err != nil {
				return err
			}
			next := "no daemon has taken it yet: one takes it when it starts"
			if taken(cmd.Context(), c.StateDir) {
				next = "the daemon has taken it; what it made of it says /readyz"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the clock shows %s; %s\n", at, next)
			return err
		},
	}
}

func taken(ctx context.Context, dir string) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for !clock.Taken(dir) {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
	}
	return true
}
