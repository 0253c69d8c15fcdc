package tour

import (
	"context"
	"errors"
	"fmt"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/devnet/tour/host"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// The payment on the chain: how much, what it buys, and how deep it has to be.
const (
	coin     = 900 // sat
	coinTime = 15 * instant.Minute
	deep     = 3
)

// deposit pays the resource's address, and waits until that is shown.
func (t *Tour) deposit(ctx context.Context) (string, error) {
	var asked wire.Resource
	if err := t.daemon.Ask(ctx, &asked, "resource", "address", t.long.Resource.ID); err != nil {
		return "", err
	}
	v, err := t.daemon.Follow(ctx, t.long.Resource.ID)
	if err != nil {
		return "", err
	}
	defer v.End()
	if t.txid, err = t.net.Send(ctx, asked.Address, coin); err != nil {
		return "", err
	}
	r, p, err := t.shows(v, "seen")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("900 sat seen, 0 of %d confirmations, %s to come", deep, left(p.ExpectedTime)), checks(
		is("amount", p.Amount, coin*money.Sat),
		is("confirmations", confirmationsOf(p), 0),
		is("confirmations that are asked for", p.Required, deep),
		is("expected time", p.ExpectedTime, coinTime),
		is("credited", r.Credited, t.paid),
		is("paid until", r.PaidUntil, t.until),
	)
}

// shows waits until the payment on the chain is shown with a status.
func (t *Tour) shows(v *host.View, status string) (r wire.Resource, p wire.Payment, err error) {
	r, err = v.Until("the payment on the chain is "+status, func(r *wire.Resource) bool {
		for _, pending := range r.Pending {
			if pending.TxID == t.txid && pending.Status == status {
				p = pending
				return true
			}
		}
		return false
	})
	return r, p, err
}

func confirmationsOf(p wire.Payment) int64 {
	if p.Confirmations == nil {
		return -1
	}
	return *p.Confirmations
}

// confirm mines the blocks that make the payment count: the first of them does not.
func (t *Tour) confirm(ctx context.Context) (string, error) {
	return t.counts(ctx, func(v *host.View) error {
		if err := t.net.Mine(ctx, 1); err != nil {
			return err
		}
		r, p, err := t.shows(v, "confirmed")
		if err != nil {
			return err
		}
		return errors.Join(is("confirmations", confirmationsOf(p), 1), is("paid until", r.PaidUntil, t.until), t.net.Mine(ctx, deep-1))
	})
}

// counts has blocks mined, and waits until the payment on the chain is credited.
func (t *Tour) counts(ctx context.Context, mine func(*host.View) error) (string, error) {
	v, err := t.daemon.Follow(ctx, t.long.Resource.ID)
	if err != nil {
		return "", err
	}
	defer v.End()
	if err := mine(v); err != nil {
		return "", err
	}
	r, err := v.Until("the payment on the chain counts", func(r *wire.Resource) bool { return r.Credited > t.paid })
	if err != nil {
		return "", err
	}
	return "credited, " + left(r.Remaining) + " left", t.topped(&r, coin*money.Sat, coinTime)
}

// reorg replaces the blocks by others, and one more, none of which holds the payment.
func (t *Tour) reorg(ctx context.Context) (string, error) {
	v, err := t.daemon.Follow(ctx, t.long.Resource.ID)
	if err != nil {
		return "", err
	}
	defer v.End()
	lots := len(v.Last.Lots)
	if err := t.net.Reorg(ctx, deep); err != nil {
		return "", err
	}
	if _, _, err := t.shows(v, "reorged"); err != nil {
		return "", err
	}
	r, err := v.Until("its time is taken back", func(r *wire.Resource) bool { return len(r.Lots) < lots })
	if err != nil {
		return "", err
	}
	err = checks(is("paid until has moved by", r.PaidUntil.Sub(t.until), -coinTime), is("debt", r.Debt, 0))
	t.until = r.PaidUntil
	return "taken back, " + left(r.Remaining) + " left", err
}

func (t *Tour) mineAgain(ctx context.Context) (string, error) {
	return t.counts(ctx, func(*host.View) error { return t.net.Mine(ctx, deep) })
}

// reconcile holds the log against the wallet, as the operator does.
func (t *Tour) reconcile(ctx context.Context) (string, error) {
	type side struct {
		Wallet struct {
			Payments int `json:"payments"`
		} `json:"wallet"`
	}
	var report struct {
		Lightning   side `json:"lightning"`
		Chain       side `json:"onchain"`
		Differences int  `json:"count"`
	}
	err := t.daemon.Ask(ctx, &report, "audit", "reconcile")
	if err != nil {
		return "", err
	}
	lightning := report.Lightning.Wallet.Payments
	onChain := report.Chain.Wallet.Payments
	return fmt.Sprintf("%d by Lightning, %d on the chain, %d differences", lightning, onChain, report.Differences),
		checks(is("payments on the chain", onChain, 1), is("differences", report.Differences, 0))
}
