package auditor

import (
	"context"
	"errors"

	"sandglass/adapters/lnd"
	"sandglass/cmd/sandglass/auditor/source"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/plan"
	"sandglass/domain/reconcile"

	"github.com/spf13/cobra"
)

// reconcileFlags say what is compared. Where they are 0, all of it, and as configured.
type reconcileFlags struct {
	source.Flags
	height        int64
	confirmations int
}

func (f *reconcileFlags) check() error {
	switch {
	case f.height < 0:
		return cli.Usage("--height %d is not the height of a block", f.height)
	case f.confirmations < 0 || f.confirmations > plan.MaxConfirmations:
		return cli.Usage("--confirmations %d: want 1 to %d", f.confirmations, plan.MaxConfirmations)
	}
	return f.Flags.Check()
}

func reconcileCmd(c commands) *cobra.Command {
	var f reconcileFlags
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare the log with the wallet, Lightning and on-chain, both ways",
		Long: `Compare the log with the wallet, both ways: whatever lnd has received, over Lightning or
in blocks of the active chain, is credited or unallocated in the log, once and with the
same amount; and whatever the log counts as received, lnd has. Each difference is
listed with what either side says, what it means and what to do; the exit status is 1.

The wallet is lnd, which is asked directly, by the settings of "serve": SANDGLASS_LND_ADDR,
SANDGLASS_LND_TLS_CERT and SANDGLASS_LND_WATCH_MACAROON. The log comes from the daemon, from
its store with --store, or from NDJSON with --log. Nothing is changed on either side.

What is under way is no difference: when something differs, both sides are read again
after two seconds, and what has come in order by then is not listed; a file is read once.
Nor is what has too few confirmations yet (SANDGLASS_CONFIRMATIONS, or more where a plan asks
for more), what lnd received before the log first watched it, or what other nodes did:
these are counted apart.

Deposits to addresses of the wallet that the log does not know are listed apart, and are no
difference. They are the operator's own; or, after an old backup was restored, a customer's:
"address adopt" then says whose. An invoice that is not in the log has the resource that its
description names.

With --height the chain is taken as it was when it ended there: no later block is looked
at, confirmations are counted up to there, and payments that the log has in later blocks
are left out. With a log from a file, give the height of its time. Lightning knows no
heights: it is compared as it is now.

Whether the log is whole and adds up is for "audit replay" to say.`,
		Example: `  sandglass audit reconcile
  sandglass audit reconcile --height 850000 --json
  sandglass audit reconcile --store sqlite:/var/lib/sandglass/sandglass.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, confirmations, synced, err := c.reconciled(cmd.Context(), &f)
			if err != nil {
				return err
			}
			return c.printReport(r, confirmations, synced)
		},
	}
	f.Add(cmd)
	cmd.Flags().Int64Var(&f.height, "height", 0,
		"take the chain as it was when it ended at this `height`; 0 is as it is now")
	cmd.Flags().IntVar(&f.confirmations, "confirmations", 0,
		"blocks that make a payment on the chain count; 0 is $"+config.Prefix+"_CONFIRMATIONS")
	return cmd
}

// reconciled compares, and says from how many confirmations on a payment counts, and whether the
// wallet has seen the whole chain.
func (c commands) reconciled(
	ctx context.Context, f *reconcileFlags,
) (found *reconcile.Report, confirmations int, synced bool, err error) {
	if err := f.check(); err != nil {
		return nil, 0, false, err
	}
	conf, err := config.Load()
	if err != nil {
		return nil, 0, false, err
	}
	if f.confirmations == 0 {
		f.confirmations = conf.Confirmations
	}
	log, err := source.Grow(ctx, c.Env, &f.Flags)
	if err != nil {
		return nil, 0, false, err
	}
	defer log.Close()
	node, err := lnd.Dial(lnd.Config{
		Addr:          conf.LndAddr,
		TLSCert:       conf.LndTLSCert,
		WatchMacaroon: conf.LndWatchMacaroon,
		AllowSpending: conf.LndAllowSpending,
	})
	if err != nil {
		return nil, 0, false, err
	}
	defer node.Close()
	p := show.NewProgress(c.Stderr)
	r := reconcile.Reconciler{
		Records:       log.After,
		Still:         log.Still,
		Reader:        reconcile.Reader{Invoices: node, Chain: node, AskChain: conf.OnChain, Progress: tellRead(p)},
		Height:        f.height,
		Confirmations: f.confirmations,
	}
	found, synced, err = r.Reconcile(ctx)
	p.Done()
	switch {
	case errors.Is(err, reconcile.ErrHeight):
		return nil, 0, false, cli.Usage("--height %d: %w", f.height, err)
	case err != nil:
		return nil, 0, false, err
	}
	return found, f.confirmations, synced, nil
}

// tellRead tells a person at a terminal what was read.
func tellRead(p show.Progress) func(what string, done, of int64) {
	return func(what string, done, of int64) {
		if of > 0 {
			p.Draw("%s %s of %s", what, show.Group(done), show.Group(of))
		} else {
			p.Draw("%s %s", show.Group(done), what)
		}
	}
}
