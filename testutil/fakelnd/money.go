package fakelnd

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// Add adds an invoice, as lncli would, and returns its hash in hex.
func (l *Lnd) Add(msat int64) string {
	answer, err := (&lightning{Lnd: l}).AddInvoice(context.Background(), &lnrpc.Invoice{ValueMsat: msat})
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(answer.RHash)
}

// AddAMP adds an AMP invoice, which can be paid many times.
func (l *Lnd) AddAMP(msat int64) string {
	answer, err := (&lightning{Lnd: l}).AddInvoice(context.Background(), &lnrpc.Invoice{ValueMsat: msat, IsAmp: true})
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(answer.RHash)
}

// on calls do with the row of an invoice, which must be there.
func (l *Lnd) on(hash string, do func(*lnrpc.Invoice) error) error {
	raw, err := hex.DecodeString(hash)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	row := l.db.find(raw)
	if row == nil {
		return fmt.Errorf("unable to locate invoice %s", hash)
	}
	return do(row)
}

// htlc is one that came in now, over channel 1.
func (l *Lnd) htlc(msat int64, state lnrpc.InvoiceHTLCState, records map[uint64][]byte) *lnrpc.InvoiceHTLC {
	l.db.htlcs++
	all := map[uint64][]byte{106823: {1}} // lnd always adds one
	for k, v := range records {
		all[k] = v
	}
	now := time.Now().Unix()
	h := &lnrpc.InvoiceHTLC{
		ChanId:        1,
		HtlcIndex:     l.db.htlcs,
		AmtMsat:       uint64(msat),
		AcceptTime:    now,
		State:         state,
		CustomRecords: all,
	}
	if state != lnrpc.InvoiceHTLCState_ACCEPTED {
		h.ResolveTime = now
	}
	return h
}

func (l *Lnd) settle(row *lnrpc.Invoice) {
	row.State, row.SettleDate = lnrpc.Invoice_SETTLED, time.Now().Unix()
	row.AmtPaidMsat = 0
	for _, h := range row.Htlcs {
		if h.State == lnrpc.InvoiceHTLCState_ACCEPTED {
			h.State, h.ResolveTime = lnrpc.InvoiceHTLCState_SETTLED, row.SettleDate
		}
		if h.State == lnrpc.InvoiceHTLCState_SETTLED {
			row.AmtPaidMsat += int64(h.AmtMsat)
		}
	}
	//lint:ignore SA1019 lnd still sets it, and so does what stands in for lnd
	row.Settled = true
	row.SettleIndex = l.db.settled(row, "")
	l.dispatch(row, "")
	l.follow(row)
}

// Pay settles an invoice by one HTLC for each amount. It may be late: lnd looks at
// blocks, not at the clock.
func (l *Lnd) Pay(hash string, msats ...int64) error {
	return l.on(hash, func(row *lnrpc.Invoice) error {
		if row.State != lnrpc.Invoice_OPEN || row.IsAmp {
			return fmt.Errorf("invoice %s is %s", hash, row.State)
		}
		for _, msat := range msats {
			row.Htlcs = append(row.Htlcs, l.htlc(msat, lnrpc.InvoiceHTLCState_SETTLED, nil))
		}
		l.settle(row)
		return nil
	})
}

// Settled returns the invoices that were paid, in the order in which they were added.
func (l *Lnd) Settled() (settled []*lnrpc.Invoice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, row := range l.db.rows {
		if row.State == lnrpc.Invoice_SETTLED {
			settled = append(settled, shown(row))
		}
	}
	return settled
}

// Shard adds an HTLC that came, and was failed back.
func (l *Lnd) Shard(hash string, msat int64) error {
	return l.on(hash, func(row *lnrpc.Invoice) error {
		row.Htlcs = append(row.Htlcs, l.htlc(msat, lnrpc.InvoiceHTLCState_CANCELED, nil))
		return nil
	})
}

// Accept holds msat for an invoice, for as many blocks as it says. Only who follows the invoice
// is told.
func (l *Lnd) Accept(hash string, msat int64) error {
	return l.on(hash, func(row *lnrpc.Invoice) error {
		if row.State != lnrpc.Invoice_OPEN {
			return fmt.Errorf("invoice %s is %s", hash, row.State)
		}
		h := l.htlc(msat, lnrpc.InvoiceHTLCState_ACCEPTED, nil)
		h.ExpiryHeight = l.wallet.chain.Tip().Height + int32(row.CltvExpiry) + 3
		row.Htlcs = append(row.Htlcs, h)
		row.State, row.AmtPaidMsat = lnrpc.Invoice_ACCEPTED, msat
		l.follow(row)
		return nil
	})
}

// Settle takes what is held.
func (l *Lnd) Settle(hash string) error {
	return l.on(hash, func(row *lnrpc.Invoice) error { l.settle(row); return nil })
}

// Cancel gives back what is held, and ends the invoice; so does its expiry. Nobody is
// told, and amt_paid_msat stays.
func (l *Lnd) Cancel(hash string) error {
	return l.on(hash, func(row *lnrpc.Invoice) error {
		if row.State == lnrpc.Invoice_SETTLED {
			return errors.New("invoice already settled")
		}
		row.State = lnrpc.Invoice_CANCELED
		for _, h := range row.Htlcs {
			h.State = lnrpc.InvoiceHTLCState_CANCELED
		}
		l.follow(row)
		return nil
	})
}

// Delete forgets an invoice, as the collection of cancelled ones does.
func (l *Lnd) Delete(hash string) error {
	return l.on(hash, func(row *lnrpc.Invoice) error {
		for i, r := range l.db.rows {
			if r == row {
				l.db.rows = append(l.db.rows[:i:i], l.db.rows[i+1:]...)
				break
			}
		}
		return nil
	})
}

// Change changes the row of an invoice without telling anybody, as when it is settled
// and its amount not yet written.
func (l *Lnd) Change(hash string, change func(*lnrpc.Invoice)) error {
	return l.on(hash, func(row *lnrpc.Invoice) error { change(row); return nil })
}

// Keysend pays msat with a preimage, and records beside. A second one with the same
// preimage is settled without a word: only the row grows, and in the key-value store
// its settle_index moves on. It returns the payment_hash in hex.
func (l *Lnd) Keysend(preimage [32]byte, msat int64, records map[uint64][]byte) string {
	hash := sha256.Sum256(preimage[:])
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.htlc(msat, lnrpc.InvoiceHTLCState_SETTLED, records)
	if row := l.db.find(hash[:]); row != nil {
		row.Htlcs = append(row.Htlcs, h)
		row.AmtPaidMsat += msat
		if !l.faults.nativeSQL {
			row.SettleIndex = l.db.settled(row, "")
		}
		return hex.EncodeToString(hash[:])
	}
	row := &lnrpc.Invoice{
		RPreimage: preimage[:], RHash: hash[:], ValueMsat: msat, CreationDate: time.Now().Unix(), IsKeysend: true,
		PaymentAddr: make([]byte, 32),
	}
	l.db.add(row)
	l.dispatch(row, "")
	row.Htlcs = append(row.Htlcs, h)
	l.settle(row)
	return hex.EncodeToString(hash[:])
}

// PayAMP pays an AMP invoice by a set of HTLCs, and returns the set_id.
func (l *Lnd) PayAMP(hash string, records map[uint64][]byte, msats ...int64) (set string, err error) {
	err = l.on(hash, func(row *lnrpc.Invoice) error {
		set = l.settleSet(row, randomSet(), records, msats)
		return nil
	})
	return set, err
}

func randomSet() []byte {
	set := make([]byte, 32)
	rand.Read(set)
	return set
}

// SpontaneousAMP pays without an invoice: the row that lnd makes has no payment_hash.
func (l *Lnd) SpontaneousAMP(records map[uint64][]byte, msats ...int64) (set string) {
	return l.SpontaneousAMPOf(randomSet(), records, msats...)
}

// SpontaneousAMPOf is SpontaneousAMP with a set_id that the payer chose: BOLT 4 leaves it to
// the payer, and lnd takes any that it has not seen.
func (l *Lnd) SpontaneousAMPOf(id []byte, records map[uint64][]byte, msats ...int64) (set string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	row := &lnrpc.Invoice{CreationDate: time.Now().Unix(), IsAmp: true, PaymentAddr: make([]byte, 32)}
	rand.Read(row.PaymentAddr)
	l.db.add(row)
	l.dispatch(row, "")
	return l.settleSet(row, id, records, msats)
}

func (l *Lnd) settleSet(row *lnrpc.Invoice, id []byte, records map[uint64][]byte, msats []int64) string {
	set := hex.EncodeToString(id)
	var sum int64
	for _, msat := range msats {
		h := l.htlc(msat, lnrpc.InvoiceHTLCState_SETTLED, records)
		h.Amp = &lnrpc.AMP{SetId: id}
		row.Htlcs = append(row.Htlcs, h)
		sum += msat
	}
	row.AmtPaidMsat += sum
	if row.AmpInvoiceState == nil {
		row.AmpInvoiceState = map[string]*lnrpc.AMPInvoiceState{}
	}
	row.State = lnrpc.Invoice_SETTLED // the answers' view; in the database it stays open
	row.AmpInvoiceState[set] = &lnrpc.AMPInvoiceState{
		State: lnrpc.InvoiceHTLCState_SETTLED, SettleIndex: l.db.settled(row, set), SettleTime: time.Now().Unix(), AmtPaidMsat: sum,
	}
	l.dispatch(row, set)
	return set
}
