package auditor

import (
	"fmt"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/audit"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/reconcile"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// reconciled is what audit reconcile says, as JSON.
type reconciled struct {
	Position      stream.Position  `json:"position"`
	Node          string           `json:"node"`
	Network       string           `json:"network"`
	Synced        bool             `json:"synced"`               // the wallet has seen the whole chain
	Height        int64            `json:"height"`               // of the last block that was looked at
	Block         string           `json:"block_hash,omitempty"` // of that block, if the chain was asked
	Confirmations int              `json:"confirmations"`
	Lightning     reconciledSide   `json:"lightning"`
	Chain         reconciledSide   `json:"onchain"`
	Count         int              `json:"count"` // of differences
	Differences   []reconciledDiff `json:"differences"`
	// Unknown are deposits to addresses of the wallet that the log does not know.
	Unknown []reconciledDeposit `json:"unknown_deposits"`
}

type reconciledDeposit struct {
	Key     payment.Key `json:"key"`
	Address string      `json:"address"`
	Amount  money.Msat  `json:"amount_msat"`
	Height  int64       `json:"height"`
}

type reconciledSide struct {
	Wallet      reconciledSum `json:"wallet"`
	Log         reconciledSum `json:"log"`
	Unallocated reconciledSum `json:"unallocated"` // of those in the log
	Pending     reconciledSum `json:"pending"`
	History     reconciledSum `json:"history"`
	Elsewhere   reconciledSum `json:"other_nodes"`
	Differences int           `json:"differences"`
}

type reconciledSum struct {
	Payments int        `json:"payments"`
	Amount   money.Msat `json:"amount_msat"`
}

type reconciledDiff struct {
	Kind     reconcile.Kind `json:"kind"`
	Key      string         `json:"key"`
	Resource resource.ID    `json:"resource,omitempty"`
	Wallet   string         `json:"wallet"`
	Log      string         `json:"log"`
	Advice   string         `json:"advice"`
}

// printReport prints what was found. A difference is an error.
func (c commands) printReport(r *reconcile.Report, confirmations int, synced bool) (err error) {
	if c.JSON {
		err = show.JSON(c.Stdout, reportJSON(r, confirmations, synced))
	} else {
		err = c.printSides(r, confirmations, synced)
	}
	if err == nil && !r.Clean() {
		err = cli.ErrDifference
	}
	return err
}

func reportJSON(r *reconcile.Report, confirmations int, synced bool) reconciled {
	v := reconciled{
		Position:      r.Position,
		Node:          r.Node,
		Network:       r.Network,
		Synced:        synced,
		Height:        r.Height,
		Block:         r.Block,
		Confirmations: confirmations,
		Lightning:     sideJSON(&r.Lightning),
		Chain:         sideJSON(&r.Chain),
		Count:         len(r.Differences),
		Differences:   make([]reconciledDiff, len(r.Differences)),
		Unknown:       make([]reconciledDeposit, len(r.Unknown)),
	}
	for i, d := range r.Differences {
		v.Differences[i] = reconciledDiff(d)
	}
	for i, d := range r.Unknown {
		v.Unknown[i] = reconciledDeposit(d)
	}
	return v
}

func sideJSON(s *reconcile.Side) reconciledSide {
	sum := func(s reconcile.Sum) reconciledSum { return reconciledSum(s) }
	return reconciledSide{
		Wallet:      sum(s.Wallet),
		Log:         sum(s.Log),
		Unallocated: sum(s.Unallocated),
		Pending:     sum(s.Pending),
		History:     sum(s.History),
		Elsewhere:   sum(s.Elsewhere),
		Differences: s.Differences,
	}
}

func (c commands) printSides(r *reconcile.Report, confirmations int, synced bool) error {
	chain, lag := "not asked: no address was ever issued", ""
	if r.Block != "" {
		chain = fmt.Sprintf("up to height %d, block %s; counted from %s on",
			r.Height, r.Block, show.Count(int64(confirmations), "confirmation"))
		if !synced {
			lag = "it has not seen the whole chain: what came lately may be missing"
		}
	}
	err := show.Facts(c.Stdout,
		"node", r.Node+" on "+r.Network,
		"", lag,
		"log", fmt.Sprintf("up to position %d", r.Position),
		"chain", chain)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.Stdout)
	if err := c.printSums(&r.Lightning, &r.Chain); err != nil {
		return err
	}
	fmt.Fprintln(c.Stdout)
	listed := r.Differences[:min(len(r.Differences), audit.MaxFindings)]
	rows := make([]string, len(listed))
	for i, d := range listed {
		rows[i] = show.Cells(string(d.Kind), d.Key, string(d.Resource), show.Short(d.Wallet), show.Short(d.Log), d.Advice)
	}
	if err := c.printFindings("KIND\tPAYMENT\tRESOURCE\tWALLET SAYS\tLOG SAYS\tWHAT TO DO", rows); err != nil {
		return err
	}
	if more := len(r.Differences) - len(listed); more > 0 {
		fmt.Fprintf(c.Stdout, "and %s more: --json lists them all\n", show.Group(int64(more)))
	}
	if err := c.printUnknown(r.Unknown); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Stdout, show.Count(int64(len(r.Differences)), "difference"))
	return err
}

// printUnknown prints the latest deposits to addresses that the log does not know.
func (c commands) printUnknown(all []reconcile.Deposit) error {
	if len(all) == 0 {
		return nil
	}
	rows := make([]string, min(len(all), audit.MaxFindings))
	for i, d := range all[:len(rows)] {
		rows[i] = show.Cells(show.Amount(d.Amount), fmt.Sprint(d.Height), d.Address, string(d.Key))
	}
	if err := c.printFindings("DEPOSIT\tHEIGHT\tTO AN ADDRESS THAT THE LOG DOES NOT KNOW\tPAYMENT", rows); err != nil {
		return err
	}
	if more := len(all) - len(rows); more > 0 {
		fmt.Fprintf(c.Stdout, "and %s more: --json lists them all\n", show.Group(int64(more)))
	}
	_, err := fmt.Fprintf(c.Stdout, "%s to the wallet: leave your own as they are; a customer's is booked after\n"+
		"  sandglass address adopt ADDRESS --to RESOURCE\n\n", show.Count(int64(len(all)), "unknown deposit"))
	return err
}

func (c commands) printSums(a, b *reconcile.Side) error {
	row := func(what string, a, b reconcile.Sum) string {
		return show.Cells(what,
			show.Group(int64(a.Payments)), show.Group(int64(a.Amount)),
			show.Group(int64(b.Payments)), show.Group(int64(b.Amount)))
	}
	return show.Table(c.Stdout, "PAYMENTS\tLIGHTNING\tMSAT\tON CHAIN\tMSAT", []string{
		row("in the wallet", a.Wallet, b.Wallet),
		row("in the log", a.Log, b.Log),
		row("  unallocated", a.Unallocated, b.Unallocated),
		row("pending", a.Pending, b.Pending),
		row("before adoption", a.History, b.History),
		row("of other nodes", a.Elsewhere, b.Elsewhere),
		show.Cells("differences", fmt.Sprint(a.Differences), "", fmt.Sprint(b.Differences), ""),
	})
}
