package projections_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/projections"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// model is the states as the domain alone folds them.
type model struct {
	resources map[resource.ID]resource.State
	payments  map[payment.Key]payment.State
	plans     map[string]plan.State
	wallets   map[string]wallet.State
	ledger    projections.Ledger
}

func fold(t testing.TB, records []stream.Record) model {
	m := model{
		map[resource.ID]resource.State{}, map[payment.Key]payment.State{}, map[string]plan.State{},
		map[string]wallet.State{}, projections.Ledger{},
	}
	for i := range records {
		rec := &records[i]
		if id, ok := strings.CutPrefix(rec.Stream, resource.Prefix); ok {
			apply(t, rec, resource.ID(id), m.resources, resource.Aggregate())
		} else if key, ok := strings.CutPrefix(rec.Stream, payment.Prefix); ok {
			before := m.payments[payment.Key(key)]
			p := apply(t, rec, payment.Key(key), m.payments, payment.Aggregate())
			if p.Status == payment.StatusSettled && before.Status != payment.StatusUnallocated {
				m.ledger.Wallet += p.Amount
				m.ledger.Unallocated += p.Amount
			} else if p.Status == payment.StatusReorged && before.SettledAt != 0 {
				m.ledger.Wallet -= p.Amount
				m.ledger.Unallocated -= p.Amount
			}
		} else if name, ok := strings.CutPrefix(rec.Stream, plan.Prefix); ok {
			apply(t, rec, name, m.plans, plan.Aggregate())
		} else if node, ok := strings.CutPrefix(rec.Stream, wallet.Prefix); ok {
			apply(t, rec, node, m.wallets, wallet.Aggregate())
		}
	}
	for _, s := range m.resources {
		m.ledger.Unallocated += s.ReversedSum
		m.ledger.Receivable += s.Debt
		m.ledger.Prepaid += s.Balance()
		m.ledger.Income += s.Debited
		m.ledger.Unallocated -= s.Credited
	}
	return m
}

// apply folds a record into the state of its stream, and returns that.
func apply[ID ~string, S, C any, E stream.Fact](
	t testing.TB, rec *stream.Record, id ID, states map[ID]S, a stream.Aggregate[ID, S, C, E],
) S {
	s, ok := states[id]
	if !ok {
		s = a.New(id)
	}
	e, err := a.Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	states[id] = a.Evolve(s, e)
	return states[id]
}

// TestAgreesWithTheDomain compares the views with plain folds, at several positions.
func TestAgreesWithTheDomain(t *testing.T) {
	for seed := range uint64(20) {
		m := random(t, seed, 30, 600)
		for _, n := range []int{1, len(m.records) / 3, len(m.records)} {
			compare(t, replayed(t, m, m.records[n-1].Position), fold(t, m.records[:n]))
		}
	}
}

func compare(t *testing.T, v *projections.Views, want model) {
	t.Helper()
	counts := map[resource.Status]int{}
	for id, s := range want.resources {
		counts[s.Status]++
		got, _, ok := v.Resource(id)
		if diff := cmp.Diff(s, got, cmpopts.EquateEmpty()); diff != "" || !ok {
			t.Errorf("resource %s (-want +got):\n%s", id, diff)
		}
		for _, now := range []instant.Time{0, s.Last, s.Last + 12345} {
			if left, ok := v.Remaining(id, now); left != s.Remaining(now) || !ok {
				t.Errorf("resource %s has %d ms left, want %d", id, left, s.Remaining(now))
			}
		}
	}
	if got := v.Counts(); fmt.Sprint(got) != fmt.Sprint(counts) {
		t.Errorf("counts %v, want %v", got, counts)
	}
	comparePayments(t, v, want)
	for name, p := range want.plans {
		if got, ok := v.Plan(name); got != p || !ok {
			t.Errorf("plan %+v, want %+v", got, p)
		}
	}
	wallets := v.Wallets()
	for _, w := range wallets {
		if w != want.wallets[w.Node] {
			t.Errorf("wallet %+v, want %+v", w, want.wallets[w.Node])
		}
	}
	if len(wallets) != len(want.wallets) {
		t.Errorf("%d wallets, want %d", len(wallets), len(want.wallets))
	}
	hosts := map[string]int{}
	for _, s := range want.resources {
		if hosts[s.Host] += 0; s.Status != resource.StatusReleased {
			hosts[s.Host]++
		}
	}
	for name, n := range v.Hosts() {
		if hosts[name] != n || name == "" && v.Unplaced() != n {
			t.Errorf("host %q has %d resources, %d unplaced, want %d", name, n, v.Unplaced(), hosts[name])
		}
		delete(hosts, name)
	}
	if len(hosts) > 0 {
		t.Errorf("hosts %v are missing", hosts)
	}
	taken := map[[2]string]int{}
	for _, s := range want.resources {
		if taken[[2]string{s.Plan, s.Host}] += 0; s.Status != resource.StatusReleased {
			taken[[2]string{s.Plan, s.Host}]++
		}
	}
	for at, n := range taken {
		if got := v.Taken(at[0], at[1], nil); got < n { // more is on its way
			t.Errorf("%d of plan %q are on host %q, want %d", got, at[0], at[1], n)
		}
	}
	if len(v.Plans()) != len(want.plans) {
		t.Errorf("%d plans, want %d", len(v.Plans()), len(want.plans))
	}
	if got := v.TrialBalance(); got != want.ledger || got.Trial() != 0 {
		t.Errorf("ledger %+v, want %+v", got, want.ledger)
	}
	compareDeadlines(t, v, want)
	compareHeld(t, v, want)
}

// compareHeld compares when payments came to be held in the hour before the last one was.
func compareHeld(t *testing.T, v *projections.Views, want model) {
	t.Helper()
	var all []instant.Time
	for _, p := range want.payments {
		if p.AcceptedAt > 0 {
			all = append(all, p.AcceptedAt)
		}
	}
	if slices.Sort(all); len(all) > 0 {
		last := all[len(all)-1]
		all = slices.DeleteFunc(all, func(at instant.Time) bool { return at.Add(instant.Hour) <= last })
	}
	if got := v.HeldSince("02aa", 0); !slices.Equal(got, all) {
		t.Errorf("payments were held at %v, want %v", got, all)
	}
	if len(all) > 0 && (len(v.HeldSince("02aa", all[0])) >= len(all) || len(v.HeldSince("02bb", 0)) > 0) {
		t.Errorf("of another node, or before: %v, %v", v.HeldSince("02aa", all[0]), v.HeldSince("02bb", 0))
	}
}

func comparePayments(t *testing.T, v *projections.Views, want model) {
	t.Helper()
	open, unallocated, of := 0, []payment.Key{}, map[resource.ID]int{}
	for key, p := range want.payments {
		got, _, ok := v.Payment(key)
		final := !key.OnChain() || p.Final
		switch {
		case p.Status == payment.StatusCredited && final, p.Status == payment.StatusExpired, p.Status == payment.StatusCanceled,
			p.Status == payment.StatusReplaced && !p.WasSettled:
			if ok {
				t.Errorf("payment %s is %s and kept", key, got.Status)
			}
			continue
		case p.Status == payment.StatusUnallocated:
			unallocated = append(unallocated, key)
			if !final {
				open++
			}
		default:
			open++
		}
		of[p.Resource]++
		if got != p || !ok {
			t.Errorf("payment %+v, want %+v", got, p)
		}
	}
	slices.Sort(unallocated)
	if got := v.OpenPayments(); len(got) != open {
		t.Errorf("%d open payments, want %d", len(got), open)
	}
	deposits := 0
	for _, p := range v.OpenPayments() {
		if p.OnChain() {
			deposits++
		}
	}
	if got := v.DepositCount(); got != deposits {
		t.Errorf("%d deposits are counted of %d", got, deposits)
	}
	var keys []payment.Key
	for after := payment.Key(""); ; {
		page := v.Unallocated(after, 2)
		for _, p := range page {
			keys, after = append(keys, p.Key), p.Key
		}
		if len(page) < 2 {
			break
		}
	}
	if !slices.Equal(keys, unallocated) {
		t.Errorf("unallocated %v, want %v", keys, unallocated)
	}
	for id := range want.resources {
		if got := v.PaymentsOf(id); len(got) != of[id] {
			t.Errorf("%d payments of %s, want %d", len(got), id, of[id])
		}
	}
}

func compareDeadlines(t *testing.T, v *projections.Views, want model) {
	t.Helper()
	at := map[resource.ID]instant.Time{}
	var all []instant.Time
	for id, s := range want.resources {
		if due, ok := s.Deadline(instant.Hour); ok {
			at[id] = due
			all = append(all, due)
		}
	}
	slices.Sort(all)
	for _, limit := range []int{0, 1, 3, 1000} {
		got := dueAll(v, limit)
		if len(got) != min(limit, len(all)) {
			t.Fatalf("%d due, want %d", len(got), min(limit, len(all)))
		}
		for i, id := range got {
			if at[id] != all[i] {
				t.Fatalf("%d. is due at %v, want %v", i, at[id], all[i])
			}
		}
	}
	if len(all) > 0 {
		if first, ok := v.NextDeadline(-1); first != all[0] || !ok {
			t.Errorf("next deadline %v, want %v", first, all[0])
		}
		if early, _ := v.Due(all[0]-1, instant.Max, instant.Gap{}, nil, 10); len(early) > 0 {
			t.Errorf("%v are due too early", early)
		}
	}
}
