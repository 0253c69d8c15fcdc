package operator

import (
	"fmt"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"

	"github.com/spf13/cobra"
)

// WalletCmd returns wallet, with its subcommands.
func WalletCmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	cmd := &cobra.Command{
		Use:   "wallet",
		Short: "The Lightning nodes of all hosts, for which releases wait",
		Example: `  sandglass wallet list
  sandglass wallet retire 02a1633cafcc01ebfb6d78e39f687a1f0995c62fc95f51ead10a02ee0be551b5dc`,
	}
	cmd.AddCommand(walletListCmd(c), retireCmd(c))
	return cmd
}

func walletListCmd(c commands) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the nodes that were ever watched",
		Long: `List the nodes that were ever watched, and up to when all that was paid there is in the log.

What has no time left is released only once that is later than the end of its grace, for
every node that is not retired: somebody may have paid there in time. Each daemon says so of
its node at least once an hour. A node that stays behind has no daemon that reads it: start
it, or retire the node if it is gone for good.`,
		Example: "  sandglass wallet list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			list, err := cl.Wallets(cmd.Context())
			switch {
			case err != nil:
				return err
			case c.JSON:
				return show.JSON(c.Stdout, list.Wallets)
			}
			rows := make([]string, len(list.Wallets))
			for i, w := range list.Wallets {
				rows[i] = show.Cells(w.Node, walletState(&w), show.Instant(w.Swept), fmt.Sprint(w.Invoices), fmt.Sprint(w.Addresses))
			}
			return show.Table(c.Stdout, "NODE\tSTATE\tKNOWN UP TO\tOPEN INVOICES\tADDRESSES", rows)
		},
	}
}

func walletState(w *wire.Wallet) string {
	switch {
	case w.Served:
		return "this daemon's"
	case w.Retired != 0:
		return "retired"
	}
	return "another host's"
}

func retireCmd(c commands) *cobra.Command {
	return &cobra.Command{
		Use:   "retire NODE",
		Short: "Say that a node is gone for good, so that releases wait for it no more",
		Long: `Say that a node is gone for good, so that releases wait for it no more.

What is lost by that: an invoice or an address of the node that is still open can be paid,
and no daemon sees it. Who pays so is released when the grace ends, and the money shows
nowhere. "wallet list" says how many there are. Start the node and a daemon for it instead,
if that can be done: then nothing is lost.

The node of the daemon that is asked is refused. If a daemon watches the node again, it counts
again, and what came meanwhile is credited, or unallocated if its resource was released. Done
again it changes nothing.`,
		Example:           "  sandglass wallet retire 02a1633cafcc01ebfb6d78e39f687a1f0995c62fc95f51ead10a02ee0be551b5dc",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompleteWallets,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			w, err := cl.RetireWallet(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case c.JSON:
				return show.JSON(c.Stdout, w)
			}
			_, err = fmt.Fprintf(c.Stdout,
				"%s is retired: releases do not wait for it; open invoices %d, addresses %d: what pays them is not seen\n",
				w.Node, w.Invoices, w.Addresses)
			return err
		},
	}
}
