package histories

import (
	"context"
	"fmt"
	"sync"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// turn is how many debits of a resource Fill writes at once.
const turn = 24

// writers is how many appends Fill has under way: a store that commits in groups needs
// company to be fast.
const writers = 64

// Fill writes about so many events of a host on which every resource is paid once for a
// long time, and debited every hour since. The same figures give the same streams, but
// the order between streams is the store's.
func Fill(ctx context.Context, store stream.EventStore, resources, events int, seed uint64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var todo [writers]chan []Append // a resource has one writer, which keeps its order
	for i := range todo {
		todo[i] = make(chan []Append, 4)
		wg.Go(func() {
			for apps := range todo[i] {
				if err := Write(ctx, store, apps); err != nil {
					cancel(err)
				}
			}
		})
	}
	i := 0
	for apps := range Dull(resources, events, seed) {
		todo[i%resources%writers] <- apps
		if i++; ctx.Err() != nil {
			break
		}
	}
	for i := range todo {
		close(todo[i])
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Dull yields the history that [Fill] writes, in groups of appends: first one for each
// resource, then one for each turn of each resource, in the same order. Beside the first,
// a group needs none before it but those of its resource.
func Dull(resources, events int, seed uint64) func(yield func([]Append) bool) {
	return func(yield func([]Append) bool) {
		w := newWorld(seed, resources, fmt.Sprintf("vm-%d-", seed))
		w.dull() // goes with the first group
		n := 0
		for n < events && len(w.resources) < resources {
			w.paid()
			n += count(w.out)
			if !yield(w.out) {
				return
			}
			w.out = nil
		}
		for first := Start; n < events; first = first.Add(turn * instant.Hour) {
			before := n
			for _, r := range w.resources {
				w.out = nil
				for h := instant.Millis(1); h <= min(turn, instant.Millis(events-n)); h++ {
					must(r.do(w, resource.Settle{When: resource.When{At: first.Add(h * instant.Hour)}, Swept: instant.Max}))
				}
				if n += count(w.out); !yield(w.out) || n >= events {
					return
				}
			}
			if n == before {
				return // all is spent
			}
		}
	}
}

func count(apps []Append) (n int) {
	for _, a := range apps {
		n += len(a.Events)
	}
	return n
}

// dull publishes the one plan.
func (w *World) dull() {
	w.Now = Start
	w.plans = []*aPlan{newActor(&w.kinds.plan, "small")}
	must(w.plans[0].do(w, plan.Publish{
		At: Start,
		Offer: plan.Offer{
			Min: instant.Hour, Max: 10 * instant.Year, Enforcer: "systemd:app@.service", Title: "Small",
			Terms: resource.Terms{
				Price: money.Price{Msat: 3_600_000, Per: instant.Hour}, Warn: resource.Warn{Time: instant.Day}, Grace: instant.Day,
			},
		},
	}))
}

// paid opens a resource and pays for a year or more.
func (w *World) paid() {
	w.open()
	r := w.resources[len(w.resources)-1]
	p := newActor(&w.kinds.payment, payment.LightningKey(w.hash()))
	amount := 3_600_000 * 24 * (365 + money.Msat(w.rng.IntN(3650)))
	must(p.do(w, payment.Request{
		At:       w.Now,
		Resource: r.id,
		Amount:   amount,
		Price:    r.state.Terms.Price,
		Expiry:   w.Now.Add(instant.Hour),
		Invoice:  "lnbc1" + string(p.id[3:]),
	}))
	must(p.do(w, payment.Settle{At: w.Now, Amount: amount, Via: payment.ViaBOLT11, Node: "02aa", Index: 1}))
	must(r.do(w, resource.Credit{When: resource.When{At: w.Now}, Payment: string(p.id), Amount: amount, Paid: w.Now}))
	must(p.do(w, payment.Credit{At: w.Now, Resource: r.id}))
}
