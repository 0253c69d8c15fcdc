package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/spf13/cobra"

	"sandglass/testutil/devnet"
)

// resourceRecord is the TLV record of a keysend that names the resource to credit,
// its id in ASCII. It has to be the daemon's own: 0x676c6173 spells "glas".
const resourceRecord = 0x676c6173

func recordOf(resource string) map[uint64][]byte {
	return map[uint64][]byte{resourceRecord: []byte(resource)}
}

// actTime bounds a command; a payment of a hold invoice waits longer than that
// only if nobody settles it.
const actTime = 2 * time.Minute

func buildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Build the nodes into the cache and print where they are",
		Long: `Build btcd, lnd and lncli, unless the cache holds them, and print where they are.
The cache is $SANDGLASS_CACHE, or sandglass in the user's cache folder.`,
		Example: "  SANDGLASS_CACHE=./cache devnet build",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := devnet.Build(cmd.Context(), cmd.ErrOrStderr())
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s\n%s\n", b.Btcd, b.Lnd, b.Lncli)
			}
			return err
		},
	}
}

// act attaches to the running devnet for the time of do, which returns what to
// print.
func act(
	file *string, do func(ctx context.Context, net *devnet.Network, args []string) (string, error),
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), actTime)
		defer cancel()
		info, err := readInfo(*file)
		if err != nil {
			return err
		}
		net, err := devnet.Attach(info)
		if err != nil {
			return err
		}
		said, err := do(ctx, net, args)
		if err = errors.Join(err, net.Close()); err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
		return err
	}
}

func paid(p *lnrpc.Payment, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("bob paid %d msat, payment_hash %s", p.ValueMsat, p.PaymentHash), nil
}

func payCommand(file *string) *cobra.Command {
	var msat int64
	var amp bool
	cmd := &cobra.Command{
		Use:   "pay BOLT11",
		Short: "Have bob pay an invoice, and wait until it is settled",
		Example: `  devnet pay lnbcrt210n1...
  devnet pay lnbcrt1... --amount-msat 777500   # one without an amount, or another than it asks`,
		Args: cobra.ExactArgs(1),
		RunE: act(file, func(ctx context.Context, net *devnet.Network, args []string) (string, error) {
			switch {
			case amp:
				return paid(net.Bob.PayAMP(ctx, args[0], msat))
			case msat != 0:
				return paid(net.Bob.PayAmount(ctx, args[0], msat))
			}
			return paid(net.Bob.Pay(ctx, args[0]))
		}),
	}
	cmd.Flags().Int64Var(&msat, "amount-msat", 0, "pay this, not what the invoice asks")
	cmd.Flags().BoolVar(&amp, "amp", false, "the invoice is an AMP invoice")
	return cmd
}

func keysendCommand(file *string) *cobra.Command {
	var id string
	var msat int64
	cmd := &cobra.Command{
		Use:     "keysend",
		Short:   "Have bob pay alice for a resource without an invoice",
		Example: "  devnet keysend --resource vm-1 --msat 5000",
		Args:    cobra.NoArgs,
		RunE: act(file, func(ctx context.Context, net *devnet.Network, _ []string) (string, error) {
			return paid(net.Bob.Keysend(ctx, net.Alice.Pubkey, msat, recordOf(id)))
		}),
	}
	cmd.Flags().StringVar(&id, "resource", "", "the resource's id")
	cmd.Flags().Int64Var(&msat, "msat", 0, "the amount")
	for _, name := range []string{"resource", "msat"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // no such flag: a bug of ours
		}
	}
	return cmd
}

func sendCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use:     "send ADDRESS SAT",
		Short:   "Pay an address on chain; the transaction waits for the next mine",
		Example: "  devnet send bcrt1q... 100000 && devnet mine 3",
		Args:    cobra.ExactArgs(2),
		RunE: act(file, func(ctx context.Context, net *devnet.Network, args []string) (string, error) {
			sat, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || sat <= 0 {
				return "", fmt.Errorf("%q is no amount: give whole sat", args[1])
			}
			return net.Send(ctx, args[0], sat)
		}),
	}
}

func reorgCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "reorg N",
		Short: "Replace the last N blocks by empty ones, and one more",
		Long: `Replace the last N blocks by empty ones, and one more, as a longer branch does that another
miner found. What the old blocks held goes back to the mempool, and waits for the next
mine.`,
		Example: "  devnet reorg 3",
		Args:    cobra.ExactArgs(1),
		RunE: act(file, func(ctx context.Context, net *devnet.Network, args []string) (string, error) {
			blocks, err := strconv.Atoi(args[0])
			if err != nil || blocks <= 0 {
				return "", fmt.Errorf("%q is no number of blocks", args[0])
			}
			_, err = net.Reorg(ctx, blocks)
			return fmt.Sprintf("replaced the last %d blocks by %d others", blocks, blocks+1), err
		}),
	}
}

func mineCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use:     "mine N",
		Short:   "Mine N blocks and wait until both nodes have seen them",
		Example: "  devnet mine 6",
		Args:    cobra.ExactArgs(1),
		RunE: act(file, func(ctx context.Context, net *devnet.Network, args []string) (string, error) {
			blocks, err := strconv.Atoi(args[0])
			if err != nil || blocks <= 0 {
				return "", fmt.Errorf("%q is no number of blocks", args[0])
			}
			return fmt.Sprintf("mined %d blocks", blocks), net.Mine(ctx, blocks)
		}),
	}
}
