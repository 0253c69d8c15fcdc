// Package request keeps what was asked for and nobody has paid: orders, with their invoices
// and addresses, and further invoices of resources that are there.
//
// None of it is in the log, which begins with money or with the operator's hand: so strangers
// fill nothing for free. A [Record] is kept durably beside the log, in a [Store], before its
// invoice or address is given out. When its money comes, the payment's first append carries it
// (payment.requested), and the record is not needed any more. What nobody pays lapses.
//
// [Set] is the one fold of the records: the API, both watchers, the bounds and a second daemon
// ask it. [Signer] writes in an invoice's description whose money it is, so that a record that
// was lost is missed.
package request

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/stream"
)

// Store keeps records durably beside the log. testutil/storetest has its contract.
//
// The records of one name are one record: what was kept first stands, until one of a higher
// [Record.Rank] is kept, which stands then.
type Store interface {
	// Keep returns once a record is durable. After an error it is open whether it was kept;
	// it may be kept again.
	Keep(ctx context.Context, r *Record) error
	// Follow yields the records that are kept, in runs, then an empty run, and then those
	// that come, of this daemon and of others, until ctx ends. A record may come twice, also as
	// it was before it was released. What a newer build kept, which this one can't read, is a
	// [stream.UnknownError] that ends it. What was damaged is left out, and told to the operator:
	// it is forgotten, and one is all that is lost.
	Follow(ctx context.Context) iter.Seq2[[]*Record, error]
	// Forget lets go of records by their names, of which some may be gone. A store that
	// forgets by itself does nothing.
	Forget(ctx context.Context, names []string) error
}

// Record is an invoice or an address that was given out, and what for. Nobody changes one, but
// that what an order gave out is released with it, and that a token is to pay an invoice.
type Record struct {
	Key      payment.Key // of the invoice; empty for an address
	Address  string      // empty for an invoice
	Height   int64       // of the chain when the address was made: no block before it pays it
	Node     string      // identity_pubkey of the wallet that takes the money
	ByHolder bool        // whoever holds the resource asked for it
	Own      bool        // it is given to nobody else
	// Released is when its order was released: what comes from then on opens nothing. It is 0 where
	// it was not.
	Released instant.Time
	Text     string // the hash of a text that the invoice has in place of its description, in hex; empty where it has that
	payment.Request
}

// Name returns what names the record for good: the payment's key, or the address.
func (r *Record) Name() string {
	if r.Key != "" {
		return string(r.Key)
	}
	return r.Address
}

// Rank says which of two records of one name stands: the higher, and of equals the first. That
// its order is released is never taken back, and no more is that a token is to pay it.
func (r *Record) Rank() (rank int) {
	if r.Cash.Quote != "" {
		rank = 1
	}
	if r.Released > 0 {
		rank += 2
	}
	return rank
}

// State returns what the record is while nobody has paid: a payment that is requested. It has
// no key where the record is an address.
func (r *Record) State() payment.State {
	return payment.State{
		Key: r.Key, Status: payment.StatusRequested, Resource: r.Resource, Asked: r.Amount, Price: r.Price,
		Expiry: r.Expiry, Invoice: r.Invoice, Requested: r.At, Order: r.Order, Node: r.Node, Last: r.At, Address: r.Address,
	}
}

// Encode returns r as canonical JSON.
func Encode(r *Record) []byte {
	c := fields(*r) // its own, since r is shared with readers
	return codec.Encode(&c)
}

// Decode reads what [Encode] wrote, and nothing else.
func Decode(data []byte) (*Record, error) {
	r := new(Record)
	if err := codec.Decode(data, (*fields)(r)); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if (r.Key == "") == (r.Address == "") {
		return nil, fmt.Errorf("request: %.40q has not one of a key and an address", data)
	}
	return r, nil
}

// MaxBytes bounds a record as it is kept.
const MaxBytes = stream.MaxData

// Pack returns r as a store keeps it, or an error that wraps [stream.ErrInvalid] if it could not
// be read again, or is too long.
func Pack(r *Record) ([]byte, error) {
	data := Encode(r)
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("request: %.80s: %w: %d bytes, at most %d", r.Name(), stream.ErrInvalid, len(data), MaxBytes)
	}
	if _, err := Decode(data); err != nil {
		return nil, fmt.Errorf("%w: %w", stream.ErrInvalid, err)
	}
	return data, nil
}

// Checksum returns what a store keeps with what it has of a record, and compares when it reads it:
// the first 128 bits of the SHA-256 of the parts, of which all but the last have a fixed length.
func Checksum(parts ...[]byte) (sum [16]byte) {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// fields is a record as it is written. An order's price is the one that was quoted.
type fields Record

// Fields implements [codec.Fielder].
func (r *fields) Fields(f *codec.Fields) {
	codec.OptString(f, "payment", &r.Key)
	codec.OptString(f, "address", &r.Address)
	codec.OptInt(f, "height", &r.Height)
	codec.OptString(f, "node", &r.Node)
	codec.Bool(f, "by_holder", &r.ByHolder)
	codec.OptTime(f, "released_at", &r.Released)
	codec.OptString(f, "description_hash", &r.Text)
	codec.Bool(f, "own", &r.Own)
	e := payment.Requested{
		Resource: r.Resource, Amount: r.Amount, Price: r.Price, Requested: r.At, Expiry: r.Expiry, Invoice: r.Invoice, Order: r.Order,
		Cash: r.Cash,
	}
	e.Fields(f)
	r.Request = payment.Request{
		At: e.Requested, Resource: e.Resource, Amount: e.Amount, Price: e.Price, Expiry: e.Expiry, Invoice: e.Invoice, Order: e.Order,
		Cash: e.Cash,
	}
}
