package harness

import (
	"context"
	"fmt"
	"sync"

	"sandglass/adapters/sqlite"
	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/histories"
)

// writers is how many appends are under way when a large log is written.
const writers = 256

// order writes what the streams of so many resources hold once each was paid: opened,
// credited and started, in one append. Their payments have no streams here.
func order(ctx context.Context, s *sqlite.Store, resources int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	meta := codec.Encode(&stream.Meta{Actor: "watcher"})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < resources && ctx.Err() == nil; i += writers {
				name, events, err := paid(i, meta)
				if err == nil {
					_, err = s.Append(ctx, name, stream.NoStream, events)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// terms are those of the one plan.
var terms = resource.Terms{
	Price: money.Price{Msat: 3_600_000, Per: instant.Hour},
	Warn:  resource.Warn{Time: instant.Day},
	Grace: instant.Day,
}

// paid returns the stream of a resource that was opened and paid, as the domain decides.
func paid(i int, meta []byte) (string, []stream.Event, error) {
	kind := resource.Aggregate()
	id := fmt.Sprintf("vm-%09d", i)
	name, state := kind.Prefix+id, kind.New(resource.ID(id))
	when := resource.When{At: histories.Start.Add(instant.Millis(i))}
	open := resource.Open{When: when, Order: resource.Order{Plan: "small", Terms: terms, Enforcer: "systemd"}}
	copy(open.Holder[:], id)
	copy(open.Request[:], id)
	credit := resource.Credit{
		When:    when,
		Payment: string(payment.LightningKey(fmt.Sprintf("%064x", i))),
		Amount:  3_600_000 * money.Msat(1000+i%1000),
		Paid:    when.At,
	}
	var events []stream.Event
	for _, c := range []resource.Command{open, credit} {
		decided, err := kind.Decide(state, c)
		if err != nil {
			return name, nil, err
		}
		for _, d := range decided {
			e := stream.Encode(d)
			e.ID, e.Meta = stream.NewID(name, stream.Revision(len(events)), e), meta
			state, events = kind.Evolve(state, d), append(events, e)
		}
	}
	return name, events, nil
}
