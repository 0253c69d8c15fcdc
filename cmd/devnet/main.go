// Command devnet runs a private Bitcoin and Lightning network, to try Sandglass
// on and to script against: real nodes, no real money.
//
// "devnet up" starts it and stays; the other commands act on it from another
// terminal. They find it by a file that up writes.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends us at once
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "devnet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:   "devnet",
		Short: "A private Bitcoin and Lightning network of real nodes",
		Long: `A private Bitcoin and Lightning network of real nodes: btcd, alice, who is the
provider whose wallet Sandglass watches, and bob, a customer with a channel to her.
The first start builds btcd and lnd, which takes minutes; later ones take seconds.`,
		Example: `  devnet up                                   # in one terminal
  devnet pay lnbcrt210n1...                   # in another: bob pays an invoice
  devnet keysend --resource vm-1 --msat 5000  # bob pays for a resource, without one
  devnet send bcrt1q... 100000 && devnet mine 3`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	var file string
	root.PersistentFlags().StringVar(&file, "info", filepath.Join(os.TempDir(), "sandglass-devnet.json"),
		"the file that says where the devnet is: written by up, read by the others")
	root.AddCommand(upCommand(&file), buildCommand(), payCommand(&file), keysendCommand(&file),
		sendCommand(&file), mineCommand(&file), reorgCommand(&file))
	root.AddCommand(demoCommand(), appCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}
