package lightning

import (
	"context"
	"errors"
	"iter"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/watch"
)

// ResourceRecord is the type of the TLV record by which a keysend or a spontaneous AMP
// payment names its resource: "glas" in ASCII, odd, in the range for custom records. Its
// value is the id as text; one that can't be an id is as good as none.
const ResourceRecord = 0x676c6173 // 1735156083

// Wallet is what the watcher asks of a Lightning node. Every call has a deadline of its
// own; an error that is a [*watch.Trouble] says in which condition the node is.
type Wallet interface {
	// Connect makes a fresh start, with credentials read anew, and says whose wallet it is.
	Connect(ctx context.Context) (watch.Identity, error)
	// Check asks over the present connection whether the wallet still answers.
	Check(ctx context.Context) (watch.Identity, error)
	// Settlements yields what settles after a settle_index, and then what settles from
	// now on; 0 means only the latter. An entry may come twice, late or never. It ends
	// with an error, or when ctx does.
	Settlements(ctx context.Context, after int64) iter.Seq2[Entry, error]
	// Lookup returns the invoice of a payment_hash, or [ErrNoInvoice].
	Lookup(ctx context.Context, hash string) (Entry, error)
	// List returns up to limit invoices: after an add_index and upwards, or, backward,
	// before it and downwards, where 0 is the end. None are left when it returns none.
	List(ctx context.Context, from int64, limit int, backward bool) ([]Entry, error)
}

// ErrNoInvoice says that the wallet knows no such invoice, or no longer does.
var ErrNoInvoice = errors.New("lightning: the wallet has no such invoice")

// Entry is an invoice as the wallet's records show it. It holds no preimage.
type Entry struct {
	Hash     string // payment_hash, or empty for a spontaneous AMP payment
	AddIndex int64
	Status   EntryStatus
	Many     bool // it can be paid again after it settled: a keysend's hash, an AMP invoice
	Arrivals []Arrival
	// Description is what the invoice says of itself: written by whoever made it.
	Description string
	Fault       string // what in it can't be understood; then there are no arrivals
}

// EntryStatus is the state of an invoice.
type EntryStatus uint8

// The states of an invoice. One that is accepted has HTLCs that are not ours yet.
const (
	EntryOpen EntryStatus = iota
	EntryAccepted
	EntrySettled
	EntryCanceled
)

// Arrival is money that came in by an invoice: one for BOLT 11, one for each HTLC of a
// keysend, one for each settled set of AMP.
type Arrival struct {
	Key     payment.Key
	Request payment.Key // of the request that it may belong to (AMP), or empty
	// Settle is what the wallet tells. Its time is the first that it can have been, since
	// lnd counts in seconds; its amount is 0 while the wallet doesn't say how much came.
	Settle payment.Settle
}

// Find returns the payment that the log has of an arrival, or one without events. What an
// earlier build wrote of AMP stands under the key of that time: it is this payment whatever
// its amount, since a node takes a set id once. An invoice under that key is another's.
func (a *Arrival) Find(load func(payment.Key) (payment.State, error)) (payment.State, error) {
	p, err := load(a.Key)
	former, renamed := a.Key.Former()
	if err != nil || p.Status != payment.StatusNone || !renamed {
		return p, err
	}
	old, err := load(former)
	if err != nil || old.Via == payment.ViaAMP {
		return old, err
	}
	return p, nil
}

// Waiting is a payment that is not at its end.
type Waiting struct {
	Key    payment.Key
	Status payment.Status // StatusRequested, StatusAccepted or StatusSettled
	Expiry instant.Time   // of its invoice
}
