package billing

import (
	"context"
	"fmt"
	"time"

	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// addressTime bounds how long is waited for an address: lnd gives none while the chain's node
// is away, and hangs.
const addressTime = 3 * time.Second

// OnChain reports whether payments on the chain are taken: else no address is shown to anybody
// who is about to pay, also none that was given out before.
func (b *Service) OnChain() bool { return b.Chain != nil }

// Address returns the address of a resource or of an order, which is made when it is first
// asked for. What it receives is watched for ever.
func (b *Service) Address(ctx context.Context, meta stream.Meta, id resource.ID) (string, error) {
	if err := b.Reading(); err != nil {
		return "", err
	}
	defer b.lock(id)()
	s, err := b.find(ctx, id)
	if err != nil {
		return "", err
	}
	return b.address(ctx, meta, &s)
}

// address is Address for whoever holds the lock of s. An address that could not be kept was
// shown to nobody.
func (b *Service) address(ctx context.Context, meta stream.Meta, s *subject) (string, error) {
	switch {
	case b.Chain == nil:
		return "", ErrNoChain
	case s.Status == resource.StatusReleased:
		return "", resource.ErrReleased
	case holds(s) || s.Unpaid():
		return "", ErrNotHeld
	}
	if a, ok := b.addressOf(&s.State); ok {
		return a, nil
	}
	if err := b.writable(); err != nil {
		return "", err
	}
	if s.order != nil && b.Requests.AddressesSince(b.Now().Add(-instant.Day)) >= b.Limits.Addresses {
		return "", fmt.Errorf("%w: %d addresses a day are given to orders that nobody has paid yet", ErrTooManyOpen, b.Limits.Addresses)
	}
	if err := b.takeOrdered(ctx, s, false); err != nil {
		return "", err
	}
	if err := b.admit(ctx, Ask{Resource: s.ID, Unpaid: s.order != nil, Address: true}); err != nil {
		return "", err
	}
	within, cancel := context.WithTimeout(ctx, addressTime)
	defer cancel()
	a, err := b.Chain.NewAddress(within)
	if err != nil {
		if b.AddressFailed != nil {
			b.AddressFailed(s.ID, err)
		}
		return "", fmt.Errorf("%w: %w", ErrWallet, err)
	}
	if s.order != nil {
		return a.Address, b.Requests.Keep(ctx, &request.Record{
			Address: a.Address, Height: a.Height, Node: a.Node,
			Request: payment.Request{At: b.Now(), Resource: s.ID, Price: s.Terms.Price, Order: s.order},
		})
	}
	out, err := b.Addresses.Execute(ctx, a.Address, meta, address.Issue{
		At: b.Now(), Resource: s.ID, Node: a.Node, Height: a.Height,
	})
	if err != nil {
		return "", err
	}
	return a.Address, b.Views.WaitFor(ctx, out.Position)
}
