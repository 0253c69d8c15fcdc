package billing

import (
	"context"
	"errors"
	"time"

	"sandglass/domain/address"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// addressTime bounds how long an order waits for its address: lnd gives none while the
// chain's node is away, and hangs. The invoice pays all the same.
const addressTime = 3 * time.Second

// errNoChain says that nothing is paid on the chain here.
var errNoChain = errors.New("billing: no addresses are made here")

// ensureAddress sees to it that a resource has an address, if it can be had in time; else the
// next request tries again. The channel is closed when it is done.
func (b *Service) ensureAddress(ctx context.Context, meta stream.Meta, id resource.ID) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, addressTime)
		defer cancel()
		if _, err := b.addressOf(ctx, meta, id); err != nil && b.AddressFailed != nil && !errors.Is(err, errNoChain) {
			b.AddressFailed(id, err)
		}
	}()
	return done
}

// OnChain reports whether payments on the chain are taken: else no address is shown to anybody
// who is about to pay, also none that was given out before.
func (b *Service) OnChain() bool { return b.Chain != nil }

// addressOf returns the address of a resource, which it makes on the first request. An
// address that the log could not keep was shown to nobody.
func (b *Service) addressOf(ctx context.Context, meta stream.Meta, id resource.ID) (string, error) {
	if b.Chain == nil {
		return "", errNoChain
	}
	if a, ok := b.Views.AddressOf(id); ok {
		return a, nil
	}
	a, err := b.Chain.NewAddress(ctx)
	if err != nil {
		return "", err
	}
	out, err := b.Addresses.Execute(ctx, a.Address, meta, address.Issue{
		At: b.Now(), Resource: id, Node: a.Node, Height: a.Height,
	})
	if err != nil {
		return "", err
	}
	return a.Address, b.Views.WaitFor(ctx, out.Position)
}
