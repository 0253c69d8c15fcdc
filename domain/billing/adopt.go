package billing

import (
	"context"
	"fmt"

	"sandglass/domain/address"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Finder finds out about an address that the log does not know.
type Finder interface {
	// FindAddress returns the address with its wallet, and a height before which nothing has
	// paid it. One that is none of this network is [ErrInvalid].
	FindAddress(ctx context.Context, address string) (Address, error)
}

// Adopt gives an address of the wallet to a resource, as if it had been issued for it: what
// it received, and will, is watched for ever. So an address comes back that a restored log
// has lost. The resource must have been opened, unless it may be lost too: then the money is
// unallocated, and names it. One that was given to an order which nobody has paid is
// [address.ErrConflict], but for what that order opened. What is only ordered is opened once all else
// is known to be possible. Done again it changes nothing.
func (b *Service) Adopt(
	ctx context.Context, meta stream.Meta, addr string, id resource.ID, lost bool,
) (did Outcome[address.State], err error) {
	if b.Finder == nil {
		return did, fmt.Errorf("%w: nothing is paid on the chain here", ErrInvalid)
	}
	if err := b.Reading(); err != nil {
		return did, err
	}
	r, err := b.Resources.Load(ctx, id)
	if err != nil {
		return did, err
	}
	is, opens := r.State, (*request.Record)(nil) // and the order that is to be opened for it
	if is.Status == resource.StatusNone && !lost {
		var ok bool
		if opens, is, ok = b.Requests.Order(id); !ok {
			return did, resource.ErrNotOpened
		}
	}
	a, err := b.Finder.FindAddress(ctx, addr) // first: what is no address has no stream
	if err != nil {
		return did, err
	}
	if q, ordered := b.Requests.FindAddress(a.Address); ordered && !is.OpenedBy(q.Order) {
		return did, fmt.Errorf("%w: %s was given to an order of %q that nobody has paid, and is watched: "+
			"what it receives opens that, or is unallocated, from where you can allocate it", address.ErrConflict, a.Address, q.Resource)
	}
	issue := address.Issue{At: b.Now(), Resource: id, Node: a.Node, Height: a.Height}
	if opens != nil {
		if err := b.openForAddress(ctx, meta, opens, a.Address, issue); err != nil {
			return did, err
		}
		did.Opened = opens
	}
	if did.Outcome, err = b.Addresses.Execute(ctx, a.Address, meta, issue); err != nil {
		return did, err
	}
	if err := b.Views.WaitFor(ctx, did.Position); err != nil {
		return did, err
	}
	if b.Adopted != nil {
		b.Adopted()
	}
	return did, nil
}

// openForAddress opens an order for an address that it can have.
func (b *Service) openForAddress(ctx context.Context, meta stream.Meta, r *request.Record, a string, c address.Issue) error {
	known, err := b.Addresses.Load(ctx, a)
	if err == nil {
		_, err = address.Decide(known.State, c)
	}
	if err != nil {
		return err
	}
	return b.openBy(ctx, meta, r)
}
