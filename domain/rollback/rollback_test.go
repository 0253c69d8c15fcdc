package rollback_test

import (
	"errors"
	"iter"
	"strings"
	"testing"

	"sandglass/domain/address"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/proof/fork"
	"sandglass/domain/resource"
	"sandglass/domain/rollback"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// log is a log that is being written.
type log []stream.Record

func (l *log) add(name string, f stream.Fact) {
	e := stream.Encode(f)
	rev := stream.Revision(0)
	for _, r := range *l {
		if r.Stream == name {
			rev++
		}
	}
	e.ID = stream.NewID(name, rev, e)
	*l = append(*l, stream.Record{Event: e, Stream: name, Revision: rev, Position: stream.Position(10 * (len(*l) + 1))})
}

func (l log) records(end error) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		for _, r := range l {
			if !yield(r, nil) {
				return
			}
		}
		if end != nil {
			yield(stream.Record{}, end)
		}
	}
}

func opened(id string) log {
	var l log
	l.add("plan-small", &plan.Published{})
	l.add("resource-"+id, &resource.Opened{Plan: "small"})
	return l
}

func types(r *rollback.Report) string {
	var all []string
	for _, l := range r.Losses {
		all = append(all, strings.TrimSuffix(l.Type, ".v1"))
	}
	return strings.Join(all, " ")
}

func TestWhatSomebodySaidIsLost(t *testing.T) {
	older := opened("web-1")
	newer := append(log{}, older...)
	for _, e := range []struct {
		name string
		f    stream.Fact
	}{
		{"resource-web-2", &resource.Opened{Plan: "small"}},
		{"resource-web-2", &resource.Placed{Host: "rack-1"}},
		{"address-bc1q", &address.Issued{Resource: "web-2", Node: "02", Height: 5}},
		{"payment-ln-aa", &payment.Requested{Resource: "web-2"}},
		{"payment-ln-aa", &payment.Settled{Amount: 5}},
		{"resource-web-2", &resource.Credited{Payment: "ln-aa", Amount: 5}},
		{"resource-web-2", &resource.Started{Reason: resource.ReasonPaid}},
		{"resource-web-2", &resource.Stopped{}},
		{"resource-web-2", &resource.Returned{}},
		{"resource-web-2", &resource.Starting{Reason: resource.ReasonReturned}},
		{"payment-ln-aa", &payment.Credited{Resource: "web-2"}},
		{"payment-ln-bb", &payment.Settled{Amount: 7}},
		{"log-forks", &fork.Opened{Origin: "sandglass.example"}},
		{"log-forks", &fork.Forked{Fork: 1, Reason: "restored"}},
		{"payment-ln-bb", &payment.Unallocated{Reason: payment.ReasonForeignInvoice}},
		{"payment-ln-bb", &payment.Allocated{Resource: "web-1"}},
		{"resource-web-1", &resource.Granted{Key: "k", Time: 5}},
		{"resource-web-1", &resource.Paused{}},
		{"resource-web-1", &resource.Debited{}},
		{"resource-web-1", &resource.Started{Reason: resource.ReasonResumed}},
		{"resource-web-1", &resource.Warned{}},
		{"resource-web-1", &resource.Recovered{}},
		{"resource-web-1", &resource.Exhausted{}},
		{"resource-web-1", &resource.Held{}},
		{"resource-web-1", &resource.Reversed{Payment: "x"}},
		{"resource-web-1", &resource.Repriced{}},
		{"resource-web-1", &resource.Placed{Host: "rack-2"}},
		{"resource-web-1", &resource.Released{Reason: resource.ReasonGraceOver}},
		{"resource-web-2", &resource.Released{Reason: resource.ReasonHolder}},
		{"plan-small", &plan.Withdrawn{}},
		{"wallet-02", &wallet.Adopted{}},
		{"wallet-02", &wallet.Swept{}},
		{"wallet-02", &wallet.Returned{}},
		{"wallet-02", &wallet.Retired{}},
	} {
		newer.add(e.name, e.f)
	}
	unknown := newer[len(newer)-1]
	unknown.Stream, unknown.Type, unknown.Position = "resource-web-1", "resource.moved.v9", 9999
	newer = append(newer, unknown)
	r, err := rollback.Compare(older.records(nil), newer.records(nil))
	if err != nil {
		t.Fatal(err)
	}
	const want = "resource.opened address.issued log.forked payment.allocated resource.granted resource.paused resource.started " +
		"resource.repriced resource.placed resource.released plan.withdrawn wallet.retired resource.moved.v9"
	if got := types(&r); got != want || r.Lost != 13 || r.Events != 35 || r.Payments != 2 {
		t.Errorf("got  %s\nwant %s\n%+v", got, want, r)
	}
	if r.Common != 20 || r.Older != 20 || r.Forked {
		t.Errorf("%+v", r)
	}
	if last := r.Losses[12]; last.Event != nil || last.Position != 9999 {
		t.Errorf("of what is not known there is %+v", last)
	}
}

func TestWhereTheLogsPart(t *testing.T) {
	one, other := opened("web-1"), opened("web-1")
	longer := append(log{}, one...)
	longer.add("resource-web-1", &resource.Paused{})
	other.add("resource-web-1", &resource.Granted{Key: "k"})
	stranger := opened("web-9")
	away := errors.New("away")
	for _, c := range []struct {
		name         string
		older, newer log
		endO, endN   error
		common       stream.Position
		lost         int64
		forked       bool
	}{
		{"the same", one, one, nil, nil, 20, 0, false},
		{"nothing", nil, nil, nil, nil, 0, 0, false},
		{"the older one is empty", nil, longer, nil, nil, 0, 3, false},
		{"the newer one is empty", longer, nil, nil, nil, 0, 0, true},
		{"the newer one is longer", one, longer, nil, nil, 20, 1, false},
		{"the newer one is shorter", longer, one, nil, nil, 20, 0, true},
		{"both go on", longer, other, nil, nil, 20, 1, true},
		{"of another daemon", stranger, longer, nil, nil, 10, 2, true},
		{"the newer one can't be read to its end", one, longer, nil, away, 20, 1, false},
		{"the older one can't be read", one[:1], longer, away, nil, 10, 0, false},
	} {
		r, err := rollback.Compare(c.older.records(c.endO), c.newer.records(c.endN))
		if wants := c.endO != nil || c.endN != nil; wants != errors.Is(err, away) {
			t.Errorf("%s: %v", c.name, err)
		}
		if r.Common != c.common || r.Lost != c.lost || r.Forked != c.forked {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}
