package billing

import (
	"context"
	"fmt"

	"sandglass/domain/address"
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
// [address.ErrConflict], but for what that order opened. Done again it changes nothing.
func (b *Service) Adopt(
	ctx context.Context, meta stream.Meta, addr string, id resource.ID, lost bool,
) (address.State, error) {
	if b.Finder == nil {
		return address.State{}, fmt.Errorf("%w: nothing is paid on the chain here", ErrInvalid)
	}
	if err := b.checkSwept(); err != nil {
		return address.State{}, err
	}
	r, err := b.Resources.Load(ctx, id)
	switch {
	case err != nil:
		return address.State{}, err
	case r.State.Status == resource.StatusNone && !lost:
		if err := b.openOrder(ctx, meta, id); err != nil {
			return address.State{}, err
		}
		if r, err = b.Resources.Load(ctx, id); err != nil {
			return address.State{}, err
		}
	}
	a, err := b.Finder.FindAddress(ctx, addr) // first: what is no address has no stream
	if err != nil {
		return address.State{}, err
	}
	if q, ordered := b.Requests.FindAddress(a.Address); ordered && !r.State.OpenedBy(q.Order) {
		return address.State{}, fmt.Errorf("%w: %s was given to an order of %q that nobody has paid, and is watched: "+
			"what it receives opens that, or is unallocated, from where you can allocate it", address.ErrConflict, a.Address, q.Resource)
	}
	out, err := b.Addresses.Execute(ctx, a.Address, meta, address.Issue{At: b.Now(), Resource: id, Node: a.Node, Height: a.Height})
	if err != nil {
		return out.State, err
	}
	if err := b.Views.WaitFor(ctx, out.Position); err != nil {
		return out.State, err
	}
	if b.Adopted != nil {
		b.Adopted()
	}
	return out.State, nil
}
