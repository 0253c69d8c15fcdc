package lightning_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// payAMP lists, and tells, a payment by AMP of 500 msat for vm-1, and returns its set id.
func (f *fixture) payAMP(tell bool) (set string) {
	w := f.fakeWallet
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled++
	i := int64(len(w.entries) + 1)
	set = fmt.Sprintf("%064x", i)
	e := lightning.Entry{AddIndex: i, Status: lightning.EntrySettled, Arrivals: []lightning.Arrival{{
		Key:    payment.AMPKey(set),
		Settle: payment.Settle{At: now() / 1000 * 1000, Amount: 500, Via: payment.ViaAMP, Index: w.settled, Resource: "vm-1"},
	}}}
	w.entries = append(w.entries, e)
	for _, told := range w.live {
		if tell {
			told <- e
		}
	}
	return set
}

// TestAMPOfAnEarlierBuild lets a wallet tell of a payment by AMP to a log that an earlier
// build wrote, in which something has the key that it would have had then.
func TestAMPOfAnEarlierBuild(t *testing.T) {
	settled := func(via payment.Via, amount money.Msat, of string) payment.Command {
		return payment.Settle{Amount: amount, Via: via, Node: of, Index: 1, Resource: "vm-1"}
	}
	asked := payment.Request{
		Resource: "vm-1", Amount: 500, Price: money.Price{Msat: 1, Per: 1000}, Expiry: instant.Max, Invoice: "lnbc1",
	}
	credited := payment.Credit{Resource: "vm-1"}
	unallocated := payment.Unallocate{Resource: "vm-1", Reason: payment.ReasonReleased}
	type story struct {
		name      string
		log       []payment.Command // of its key in an earlier build
		gets      bool              // vm-1 has got the money for it
		lots      int               // of 500 msat that vm-1 has in the end
		former    payment.Status    // in the end
		now       payment.Status    // of its own key, in the end
		conflicts bool
	}
	const none, done, stray = payment.StatusNone, payment.StatusCredited, payment.StatusUnallocated
	sent := settled(payment.ViaAMP, 500, node)
	for _, x := range []story{
		{"nothing", nil, false, 1, none, done, false},
		{"the payment", []payment.Command{sent, credited}, true, 1, done, none, false},
		{"the payment, which names no node", []payment.Command{settled(payment.ViaAMP, 500, ""), credited}, true, 1, done, none, false},
		{"the payment, settled and no more", []payment.Command{sent}, false, 1, done, none, false},
		{"the payment, settled, and its resource has it", []payment.Command{sent}, true, 1, done, none, false},
		{"the payment, unallocated", []payment.Command{sent, unallocated}, false, 0, stray, none, false},
		{"the payment, at an invoice's key", []payment.Command{asked, sent, credited}, true, 1, done, none, false},
		{"an open invoice", []payment.Command{asked}, false, 1, payment.StatusRequested, done, false},
		{"an invoice that was given up", []payment.Command{asked, payment.Expire{Reason: payment.ReasonCanceled}},
			false, 1, payment.StatusExpired, done, false},
		{"an invoice, paid with as much", []payment.Command{asked, settled(payment.ViaBOLT11, 500, node), credited},
			true, 2, done, done, false},
		{"an invoice, paid with more", []payment.Command{asked, settled(payment.ViaBOLT11, 1_000, node), unallocated},
			false, 1, stray, done, false},
		{"the payment, with another amount", []payment.Command{settled(payment.ViaAMP, 400, node), credited},
			false, 0, done, none, true},
		{"the payment, at another node", []payment.Command{settled(payment.ViaAMP, 500, "02bb")},
			false, 0, payment.StatusSettled, none, true},
	} {
		for _, tell := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, told %t", x.name, tell), func(t *testing.T) {
				inBubble(t, func(t *testing.T, f *fixture) {
					f.ready()
					f.open("vm-1")
					if !tell {
						f.stop()
					}
					former := payment.LightningKey(fmt.Sprintf("%064x", 1))
					for i, c := range x.log {
						if x.gets && i == len(x.log)-1 {
							f.give(former)
						}
						if s, ok := c.(payment.Settle); ok {
							s.At = now() // of the bubble
							c = s
						}
						f.write(former, c)
					}
					key := payment.AMPKey(f.payAMP(tell))
					for range 2 { // a restart, and a day in which all is listed
						f.pass(time.Second)
						f.stop()
						f.ready()
						f.pass(25 * time.Hour)
					}
					if a, b := f.stateOf(former).Status, f.stateOf(key).Status; a != x.former || b != x.now {
						t.Errorf("what has the former key is %s, and its own key %s; want %s and %s", a, b, x.former, x.now)
					}
					if got, want := load(t, f.booker, "vm-1").Credited, money.Msat(x.lots)*500; got != want {
						t.Errorf("credited %s, want %s", got, want)
					}
					if got := f.signs(watch.SignConflict) > 0; got != x.conflicts {
						t.Errorf("a conflict is told: %t", got)
					}
					if w := f.wallet(); w.Epoch != 1 || w.Settle != 1 {
						t.Errorf("the wallet is %+v", w)
					}
				})
			})
		}
	}
}

// give gives vm-1 the 500 msat of a payment.
func (f *fixture) give(key payment.Key) {
	f.t.Helper()
	c := resource.Credit{When: resource.When{At: now()}, Payment: string(key), Amount: 500, Paid: now()}
	if _, err := f.booker.Resources.Execute(f.t.Context(), "vm-1", stream.Meta{}, c); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) write(key payment.Key, c payment.Command) {
	f.t.Helper()
	if _, err := f.booker.Payments.Execute(f.t.Context(), key, stream.Meta{}, c); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) stateOf(key payment.Key) payment.State {
	f.t.Helper()
	out, err := f.booker.Payments.Load(f.t.Context(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	return out.State
}

// counting counts how often a stream is read.
type counting struct {
	stream.EventStore
	mu    sync.Mutex // guards reads
	reads map[string]int
}

func (c *counting) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads[name]++
	return c.EventStore.Read(ctx, name, from)
}

// A payment that the log lacks costs one read more; afterwards both keys are left alone,
// also where an earlier build wrote it.
func TestAFormerKeyIsReadOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ready()
		f.open("vm-1")
		f.stop()
		old := payment.LightningKey(fmt.Sprintf("%064x", 1))
		f.write(old, payment.Settle{At: now(), Amount: 500, Via: payment.ViaAMP, Node: node, Index: 1, Resource: "vm-1"})
		f.give(old)
		f.write(old, payment.Credit{At: now(), Resource: "vm-1"})
		f.payAMP(false)
		fresh, _ := payment.AMPKey(f.payAMP(false)).Former()
		log := &counting{EventStore: f.store, reads: map[string]int{}}
		f.booker = booker(log)
		f.ready()
		f.pass(72 * time.Hour)
		log.mu.Lock()
		defer log.mu.Unlock()
		for name, n := range log.reads {
			if key, ok := strings.CutPrefix(name, payment.Prefix); ok && (key == string(old) || key == string(fresh)) && n > 1 {
				t.Errorf("%s was read %d times", name, n)
			}
		}
		if log.reads[payment.Prefix+string(old)] == 0 || log.reads[payment.Prefix+string(fresh)] == 0 {
			t.Errorf("the former keys were not read: %v", log.reads)
		}
	})
}
