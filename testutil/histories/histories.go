// Package histories makes logs that could have happened: random, and yet each event is
// what the domain decided.
//
// A [World] plays the payers, the wallet, the clock and the operator. One seed gives one
// history. [Fill] plays a large and dull one, for benchmarks.
package histories

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// Start is when every history begins: 2026-01-01T00:00:00Z.
const Start instant.Time = 1767225600000

// Append is what one command wrote.
type Append struct {
	Stream   string
	Expected stream.Revision
	Events   []stream.Event
}

// actor is an aggregate with its present state, which commands are tried on.
type actor[ID ~string, S, C any, E stream.Fact] struct {
	kind     *stream.Aggregate[ID, S, C, E]
	id       ID
	state    S
	revision stream.Revision
}

func newActor[ID ~string, S, C any, E stream.Fact](kind *stream.Aggregate[ID, S, C, E], id ID) *actor[ID, S, C, E] {
	return &actor[ID, S, C, E]{kind, id, kind.New(id), stream.NoStream}
}

// do decides c and adds what follows to w.out.
func (a *actor[ID, S, C, E]) do(w *World, c C) error {
	events, err := a.kind.Decide(a.state, c)
	if err != nil || len(events) == 0 {
		return err
	}
	app := Append{Stream: a.kind.Prefix + string(a.id), Expected: a.revision}
	if n := len(w.out); n > 0 && w.out[n-1].Stream == app.Stream && len(w.out[n-1].Events)+len(events) <= stream.MaxAppend {
		app, w.out = w.out[n-1], w.out[:n-1] // one append can hold what several commands decided
	}
	for _, e := range events {
		rec := stream.Encode(e)
		a.revision++
		rec.ID, rec.Meta = stream.NewID(app.Stream, a.revision, rec), w.meta
		app.Events = append(app.Events, rec)
		a.state = a.kind.Evolve(a.state, e)
	}
	w.out = append(w.out, app)
	return nil
}

type (
	aResource = actor[resource.ID, resource.State, resource.Command, resource.Event]
	aPayment  = actor[payment.Key, payment.State, payment.Command, payment.Event]
	aPlan     = actor[string, plan.State, plan.Command, plan.Event]
)

// World is a host with its resources and payers. It is not safe for concurrent use.
type World struct {
	Now instant.Time
	// Hosts are those that resources are placed on, and moved between. An empty name
	// leaves a new resource without one. There is one machine if there are none.
	Hosts []string

	rng       *rand.Rand
	prefix    string // of ids, which are the world's own
	most      int
	kinds     kinds
	meta      []byte
	plans     []*aPlan
	resources []*aResource
	opened    int // resources
	payments  []*aPayment
	made      int // payments
	swept     stream.Revision
	out       []Append
}

type kinds struct {
	resource stream.Aggregate[resource.ID, resource.State, resource.Command, resource.Event]
	payment  stream.Aggregate[payment.Key, payment.State, payment.Command, payment.Event]
	plan     stream.Aggregate[string, plan.State, plan.Command, plan.Event]
}

// New returns a world that has up to so many resources at a time: one that was released
// is forgotten some time later, for a new one.
func New(seed uint64, resources int) *World {
	return newWorld(seed, resources, "vm-")
}

func newWorld(seed uint64, resources int, prefix string) *World {
	return &World{
		Now: Start, rng: rand.New(rand.NewPCG(seed, 0x73616e64)), prefix: prefix, most: resources,
		kinds: kinds{resource.Aggregate(), payment.Aggregate(), plan.Aggregate()},
		meta:  codec.Encode(&stream.Meta{Actor: "history"}), swept: stream.NoStream,
	}
}

// Step lets one thing happen, and returns what was written of it, in that order. It may
// be nothing.
func (w *World) Step() []Append {
	w.out = nil
	w.Now = w.Now.Add(instant.Millis(w.rng.Int64N(int64(instant.Minute))))
	if w.rng.IntN(50) == 0 {
		w.Now = w.Now.Add(instant.Millis(w.rng.Int64N(int64(instant.Day))))
	}
	switch n := w.rng.IntN(100); {
	case len(w.plans) == 0 || n < 1:
		w.publish()
	case len(w.resources) == 0 || n < 20:
		w.open()
	case n < 32:
		w.request()
	case n < 45:
		w.pay()
	case n < 48:
		w.keysend()
	case n < 53:
		w.deposit()
	case n < 62:
		w.chain()
	case n < 85:
		w.tick()
	case n < 98:
		if r := pick(w, w.resources); len(w.Hosts) > 0 && w.chance(30) {
			_ = r.do(w, resource.Place{When: resource.When{At: w.Now}, Host: pick(w, w.Hosts)})
		} else {
			w.command(r)
		}
	default:
		w.sweep()
	}
	return w.out
}

func pick[T any](w *World, from []T) T { return from[w.rng.IntN(len(from))] }

func (w *World) chance(percent int) bool { return w.rng.IntN(100) < percent }

// must is for commands that can't be refused: a refusal is a bug of this package.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (w *World) price() money.Price {
	return money.Price{Msat: money.Msat(1 + w.rng.Int64N(5_000_000)), Per: pick(w, []instant.Millis{1, 1000, instant.Hour})}
}

func (w *World) terms() resource.Terms {
	t := resource.Terms{Price: w.price(), Grace: instant.Millis(w.rng.Int64N(int64(2 * instant.Day)))}
	switch w.rng.IntN(4) {
	case 0:
		t.Warn.Time = instant.Millis(1 + w.rng.Int64N(int64(instant.Day)))
	case 1:
		t.Warn.Amount = money.Msat(1 + w.rng.Int64N(1_000_000))
	case 2:
		t.Warn.Share = 1 + w.rng.Int64N(1_000_000)
	}
	w.byUptime(&t)
	return t
}

func (w *World) publish() {
	if len(w.plans) > 0 && w.chance(50) {
		must(pick(w, w.plans).do(w, plan.Withdraw{At: w.Now}))
		return
	}
	p := newActor(&w.kinds.plan, fmt.Sprintf("%splan-%d", w.prefix, len(w.plans)))
	if len(w.plans) > 5 {
		p = pick(w, w.plans)
	} else {
		w.plans = append(w.plans, p)
	}
	terms := w.terms()
	terms.Price = money.Price{Msat: money.Msat(1 + w.rng.Int64N(5_000_000)), Per: instant.Hour}
	must(p.do(w, plan.Publish{
		At:    w.Now,
		Offer: plan.Offer{Terms: terms, Min: instant.Minute, Max: instant.Year, Enforcer: "systemd:app@.service", Title: "für <alle>"},
	}))
}

func (w *World) open() {
	r := newActor(&w.kinds.resource, resource.ID(fmt.Sprintf("%s%07d", w.prefix, w.opened)))
	if len(w.resources) < w.most {
		w.resources = append(w.resources, r)
	} else if i := w.rng.IntN(len(w.resources)); w.resources[i].state.Status == resource.StatusReleased {
		w.resources[i] = r
	} else {
		w.tick()
		return
	}
	w.opened++
	p := pick(w, w.plans)
	open := resource.Open{
		When:  resource.When{At: w.Now},
		Order: resource.Order{Plan: p.id, Terms: p.state.Terms, Enforcer: p.state.Enforcer},
	}
	w.random(open.Holder[:])
	w.random(open.Request[:])
	if len(w.Hosts) > 0 {
		open.Host = pick(w, w.Hosts)
	}
	must(r.do(w, open))
}

func (w *World) random(b []byte) {
	var n [8]byte
	for len(b) > 0 {
		binary.LittleEndian.PutUint64(n[:], w.rng.Uint64())
		b = b[copy(b, n[:]):]
	}
}

// hash returns a payment_hash or a txid.
func (w *World) hash() string {
	var hash [32]byte
	w.random(hash[:])
	return hex.EncodeToString(hash[:])
}

// command lets the holder or the operator do something, which may be refused.
func (w *World) command(r *aResource) {
	when := resource.When{At: w.Now, MaxGap: instant.Day, Forgive: w.chance(50)}
	var c resource.Command
	switch n := w.rng.IntN(20); {
	case n < 4:
		c = resource.Pause{When: when}
	case n < 9:
		c = resource.Resume{When: when}
	case n < 12:
		c = resource.Grant{When: when, Key: fmt.Sprint("g", w.rng.IntN(5)), Time: instant.Hour, Reason: "sorry"}
	case n < 14:
		c = resource.Reprice{When: when, Price: w.price()}
	case n < 15:
		c = resource.Reverse{When: when, Payment: "btc-00-0", Reason: resource.ReasonReorged}
	case n < 18:
		c = resource.Hold{When: when, Payment: "btc-00-0", Until: w.Now.Add(instant.Day)}
	case n < 19:
		c = resource.Hold{When: when, Until: w.Now}
	default:
		c = resource.Release{When: when, Reason: resource.ReasonHolder}
	}
	_ = r.do(w, c)
}

// tick lets time do its work on a resource, at its deadline or late.
func (w *World) tick() {
	r := pick(w, w.resources)
	if r.state.Terms.Uptime && w.chance(50) {
		w.report(r)
		return
	}
	at := w.Now
	if due, ok := r.state.Deadline(instant.Hour); ok && w.chance(50) {
		at = max(due, r.state.Last)
		w.Now = max(w.Now, min(at, w.Now.Add(instant.Day)))
	}
	at = min(at, w.Now)
	must(r.do(w, resource.Settle{When: resource.When{At: at, MaxGap: instant.Hour, Forgive: w.chance(30)}, Swept: at}))
}

// sweep writes of a wallet, to the end that it is retired and comes back.
func (w *World) sweep() {
	name := "wallet-02" + w.prefix
	w.swept++
	var fact wallet.Event = &wallet.Swept{At: wallet.At{At: w.Now}, Invoices: w.Now - 2, Chain: w.Now - 1}
	switch {
	case w.swept == 0:
		fact = &wallet.Adopted{At: wallet.At{At: w.Now}, Epoch: 1, Network: "regtest", Reason: wallet.FirstStart}
	case w.swept%7 == 5:
		fact = &wallet.Retired{At: wallet.At{At: w.Now}}
	case w.swept%7 == 6:
		fact = &wallet.Returned{At: wallet.At{At: w.Now}}
	}
	e := stream.Encode(fact)
	e.Meta = w.meta
	e.ID = stream.NewID(name, w.swept, e)
	w.out = append(w.out, Append{name, w.swept - 1, []stream.Event{e}})
}

// Write appends what a step gave.
func Write(ctx context.Context, store stream.EventStore, apps []Append) error {
	for _, a := range apps {
		if _, err := store.Append(ctx, a.Stream, a.Expected, a.Events); err != nil {
			return fmt.Errorf("histories: appending to %s: %w", a.Stream, err)
		}
	}
	return nil
}

// refused reports whether a resource has no use for money.
func refused(err error) bool {
	return errors.Is(err, resource.ErrNotOpened) || errors.Is(err, resource.ErrReleased) || errors.Is(err, money.ErrTooLong)
}
