package billing

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// OrderRequest asks for a resource that is yet to be made.
type OrderRequest struct {
	Plan   string
	Time   instant.Millis // or Amount
	Amount money.Msat
	ID     resource.ID // chosen by the caller, or empty
	Host   string      // likewise
	// IdempotencyKey names the request: sent again it gives the same order. It is a
	// secret, since the holder key follows from it.
	IdempotencyKey string
}

// Order is a resource that waits for its payment.
type Order struct {
	Resource  resource.State
	HolderKey string        // pauses, resumes and releases; empty where only its first caller may know it
	Payment   payment.State // zero once the resource was paid
	Position  stream.Position
	New       bool
}

// Order opens a resource and asks the wallet for its invoice. The same key or id with
// the same content gives the same order; with other content it is [resource.ErrExists].
func (b *Service) Order(ctx context.Context, meta stream.Meta, r OrderRequest) (Order, error) {
	id, holder, err := b.deriveNames(r)
	if err != nil {
		return Order{}, err
	}
	if err := b.checkSwept(); err != nil {
		return Order{}, err
	}
	defer b.lock(id)()
	o, err := b.openResource(ctx, meta, r, id, holder)
	if err != nil {
		return Order{}, err
	}
	if o.Resource.Status == resource.StatusAwaiting {
		q, err := b.quoteResource(o.Resource, r.Time, r.Amount)
		if err != nil {
			return Order{}, err
		}
		invoiced, err := b.invoice(ctx, meta, id, q)
		if err != nil {
			return Order{}, err
		}
		o.Payment, o.Position = invoiced.State, invoiced.Position
	}
	if Holds(o.Resource, holder) {
		o.HolderKey = holder
	}
	return o, nil
}

// openResource executes the Open of an order, or finds that it was executed before.
func (b *Service) openResource(
	ctx context.Context, meta stream.Meta, r OrderRequest, id resource.ID, holder string,
) (Order, error) {
	c := resource.Open{When: b.when(), Order: resource.Order{Plan: r.Plan, Holder: HashKey(holder), Request: requestHash(r)}}
	before, err := b.Resources.Load(ctx, id)
	if err != nil {
		return Order{}, err
	}
	if before.State.Status == resource.StatusNone {
		if _, err := b.Quote(r.Plan, r.Time, r.Amount); err != nil {
			return Order{}, err
		}
		if b.Views.Counts()[resource.StatusAwaiting] >= b.Limits.Awaiting {
			return Order{}, ErrTooManyOpen
		}
		if err := b.writable(); err != nil {
			return Order{}, err
		}
		p, _ := b.Views.Plan(r.Plan)
		c.Terms, c.Enforcer = p.Terms, p.Enforcer
		if c.Host, err = b.place(&p, r.Host); err != nil {
			return Order{}, err
		}
	}
	out, err := b.Resources.Execute(ctx, id, meta, c)
	if err != nil {
		return Order{}, err
	}
	if err := b.Views.WaitFor(ctx, out.Position); err != nil {
		return Order{}, err
	}
	return Order{Resource: out.State, Position: out.Position, New: out.Events > 0}, nil
}

// deriveNames returns the id of the order and its holder key. Both follow from the
// idempotency key, if there is one, else they are random.
func (b *Service) deriveNames(r OrderRequest) (id resource.ID, holder string, err error) {
	seed := []byte(r.IdempotencyKey)
	if len(seed) == 0 {
		seed = make([]byte, 32)
		if _, err := io.ReadFull(b.Random, seed); err != nil {
			return "", "", fmt.Errorf("billing: reading random bytes: %w", err)
		}
	} else if len(seed) < 20 || len(seed) > 128 {
		return "", "", fmt.Errorf("%w: an Idempotency-Key is a random secret of 20 to 128 characters, such as a UUID", ErrInvalid)
	}
	id = r.ID
	if id == "" {
		id = resource.ID(derive("order", seed)[:20])
	}
	return id, derive("holder", seed), plan.CheckName(string(id))
}

// derive returns 256 bits that follow from a secret for one purpose, in letters and
// digits that are hard to mistake.
func derive(purpose string, seed []byte) string {
	sum := sha256.Sum256(append([]byte("sandglass "+purpose+"\x00"), seed...))
	return base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(sum[:])
}

func requestHash(r OrderRequest) [16]byte {
	text := fmt.Appendf(nil, "%s\x00%d\x00%d", r.Plan, r.Time, r.Amount)
	if r.Host != "" { // without one it is what it was before there were hosts
		text = append(append(text, 0), r.Host...)
	}
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}
