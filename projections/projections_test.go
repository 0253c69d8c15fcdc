package projections_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/histories"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a log in memory, for tests that make thousands of logs, or one inside a
// bubble of synctest. TestRunOverAFile does the same over the real store.
type memory struct {
	mu      sync.Mutex
	records []stream.Record
	streams map[string][]int
	news    chan struct{}
}

func newMemory() *memory {
	return &memory{streams: map[string][]int{}, news: make(chan struct{})}
}

func (m *memory) Append(_ context.Context, name string, expected stream.Revision, events []stream.Event) (stream.Appended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stream.Revision(len(m.streams[name])-1) != expected {
		return stream.Appended{}, stream.ErrWrongRevision
	}
	for _, e := range events {
		expected++
		m.streams[name] = append(m.streams[name], len(m.records))
		m.records = append(m.records, stream.Record{Event: e, Stream: name, Revision: expected, Position: stream.Position(3*len(m.records) + 2)})
	}
	close(m.news)
	m.news = make(chan struct{})
	return stream.Appended{Revision: expected, Position: m.head()}, nil
}

func (m *memory) head() stream.Position {
	if len(m.records) == 0 {
		return 0
	}
	return m.records[len(m.records)-1].Position
}

func (m *memory) Head(context.Context) (stream.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head(), nil
}

func (m *memory) Read(_ context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		m.mu.Lock()
		places, records := m.streams[name], m.records
		m.mu.Unlock()
		for _, i := range places[min(int(from), len(places)):] {
			if !yield(records[i], nil) {
				return
			}
		}
	}
}

func (m *memory) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for ctx.Err() == nil {
			m.mu.Lock()
			records, news := m.records, m.news
			m.mu.Unlock()
			from, found := slices.BinarySearchFunc(records, after, func(r stream.Record, p stream.Position) int { return int(r.Position) - int(p) })
			if found {
				from++
			}
			if records = records[from:]; len(records) > 0 {
				records = records[:min(512, len(records))]
				if after = records[len(records)-1].Position; !yield(records, nil) {
					return
				}
				continue
			}
			select {
			case <-news:
			case <-ctx.Done():
			}
		}
	}
}

// random returns the log of a random history, every other one of two hosts.
func random(t testing.TB, seed uint64, resources, steps int) *memory {
	if seed%2 == 1 {
		return randomOn(t, seed, resources, steps, "", "a", "b")
	}
	return randomOn(t, seed, resources, steps)
}

func randomOn(t testing.TB, seed uint64, resources, steps int, hosts ...string) *memory {
	m := newMemory()
	w := histories.New(seed, resources)
	w.Hosts = hosts
	for range steps {
		if err := histories.Write(t.Context(), m, w.Step()); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// replayed returns views of the log up to a position.
func replayed(t testing.TB, store stream.EventStore, until stream.Position) *projections.Views {
	t.Helper()
	v := projections.New(instant.Hour)
	if err := projections.Replay(t.Context(), store, v, until); err != nil {
		t.Fatal(err)
	}
	return v
}

// same fails the test where two views differ.
func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, v, w *projections.Views) {
	t.Helper()
	if diffs := v.Diff(w); len(diffs) > 0 {
		t.Fatalf("%s: %d differences, such as %v", what, len(diffs), diffs[0])
	}
}

// model is the states as the domain alone folds them.
type model struct {
	resources map[resource.ID]resource.State
	payments  map[payment.Key]payment.State
	plans     map[string]plan.State
	ledger    projections.Ledger
}

func fold(t testing.TB, records []stream.Record) model {
	m := model{map[resource.ID]resource.State{}, map[payment.Key]payment.State{}, map[string]plan.State{}, projections.Ledger{}}
	for i := range records {
		rec := &records[i]
		if id, ok := strings.CutPrefix(rec.Stream, resource.Prefix); ok {
			apply(t, rec, resource.ID(id), m.resources, resource.Aggregate())
		} else if key, ok := strings.CutPrefix(rec.Stream, payment.Prefix); ok {
			before := m.payments[payment.Key(key)]
			if p := apply(t, rec, payment.Key(key), m.payments, payment.Aggregate()); p.Status == payment.StatusSettled && before.Status != payment.StatusUnallocated {
				m.ledger.Wallet += p.Amount
				m.ledger.Unallocated += p.Amount
			} else if p.Status == payment.StatusReorged && before.SettledAt != 0 {
				m.ledger.Wallet -= p.Amount
				m.ledger.Unallocated -= p.Amount
			}
		} else if name, ok := strings.CutPrefix(rec.Stream, plan.Prefix); ok {
			apply(t, rec, name, m.plans, plan.Aggregate())
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
		if fmt.Sprint(got) != fmt.Sprint(s) || !ok {
			t.Errorf("resource %s:\n%+v, want\n%+v", id, got, s)
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
	if len(v.Plans()) != len(want.plans) {
		t.Errorf("%d plans, want %d", len(v.Plans()), len(want.plans))
	}
	if got := v.TrialBalance(); got != want.ledger || got.Trial() != 0 {
		t.Errorf("ledger %+v, want %+v", got, want.ledger)
	}
	compareDeadlines(t, v, want)
}

func comparePayments(t *testing.T, v *projections.Views, want model) {
	t.Helper()
	open, unallocated, of := 0, []payment.Key{}, map[resource.ID]int{}
	for key, p := range want.payments {
		got, _, ok := v.Payment(key)
		final := !key.OnChain() || p.Final
		switch {
		case p.Status == payment.StatusCredited && final, p.Status == payment.StatusExpired, p.Status == payment.StatusReplaced:
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
		got := v.Due(instant.Max, limit)
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
		if _, first, ok := v.NextDeadline(); first != all[0] || !ok {
			t.Errorf("next deadline %v, want %v", first, all[0])
		}
		if early := v.Due(all[0]-1, 10); len(early) > 0 {
			t.Errorf("%v are due too early", early)
		}
	}
}

// TestTrialBalance folds event by event: the books balance after each.
func TestTrialBalance(t *testing.T) {
	m := random(t, 7, 20, 800)
	v := projections.New(instant.Hour)
	for i, rec := range m.records {
		if err := projections.Replay(t.Context(), m, v, rec.Position); err != nil {
			t.Fatal(err)
		}
		if diffs := v.Check(); len(diffs) > 0 {
			t.Fatalf("after event %d, %s: %v", i, rec.Type, diffs)
		}
	}
	same(t, "event by event", v, replayed(t, m, m.head()))
}

// TestResourcesPages lists by id, in pages, also after more came up.
func TestResourcesPages(t *testing.T) {
	m := newMemory()
	v := projections.New(instant.Hour)
	for _, n := range []int{10, 700, 1500} {
		w := histories.Dull(n, 4*n, uint64(n))
		for apps := range w {
			if err := histories.Write(t.Context(), m, skipPlans(apps, n == 10)); err != nil {
				t.Fatal(err)
			}
		}
		if err := projections.Replay(t.Context(), m, v, m.head()); err != nil {
			t.Fatal(err)
		}
		var want, got []resource.ID
		for id := range fold(t, m.records).resources {
			want = append(want, id)
		}
		slices.Sort(want)
		for after := resource.ID(""); ; {
			page := v.Resources(after, 300, nil)
			for _, s := range page {
				got, after = append(got, s.ID), s.ID
			}
			if len(page) < 300 {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d resources, want %d, or another order", len(got), len(want))
		}
	}
	odd := func(s *resource.State) bool { return strings.HasSuffix(string(s.ID), "7") }
	if page := v.Resources("vm-700-0000100", 3, odd); len(page) != 3 || page[0].ID != "vm-700-0000107" {
		t.Errorf("page %v", page)
	}
}

func skipPlans(apps []histories.Append, keep bool) []histories.Append {
	return slices.DeleteFunc(apps, func(a histories.Append) bool { return !keep && strings.HasPrefix(a.Stream, plan.Prefix) })
}

// TestAsOf compares with folds of the events that had happened by then.
func TestAsOf(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := random(t, rapid.Uint64Range(0, 50).Draw(rt, "seed"), 5, 200)
		records := slices.DeleteFunc(slices.Clone(m.records), func(r stream.Record) bool { return !strings.HasPrefix(r.Stream, resource.Prefix) })
		if len(records) == 0 {
			return
		}
		rec := rapid.SampledFrom(records).Draw(rt, "record")
		id := resource.ID(strings.TrimPrefix(rec.Stream, resource.Prefix))
		at := rec.At + instant.Time(rapid.Int64Range(-1, 1).Draw(rt, "off"))
		want := resource.New(id)
		for i := range records {
			if records[i].Stream == rec.Stream && records[i].At <= at {
				e, _ := resource.Decode(&records[i])
				want = resource.Evolve(want, e)
			}
		}
		got, err := projections.AsOf(t.Context(), m, id, at)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("%+v, %v, want %+v", got, err, want)
		}
	})
}

func TestPaidUntil(t *testing.T) {
	s := resource.State{
		Status:    resource.StatusRunning,
		Lots:      []resource.Lot{{Amount: 7, Time: 10, Used: 10}, {Amount: 3, Time: 2 * instant.Hour, Used: 5}},
		First:     1,
		DebitedTo: 100,
	}
	if at, ok := projections.PaidUntil(&s); !ok || at != 100+instant.Time(2*instant.Hour)-5 {
		t.Errorf("paid until %v, %v", at, ok)
	}
	s.Status = resource.StatusPaused
	if _, ok := projections.PaidUntil(&s); ok {
		t.Error("a paused resource runs out")
	}
}

// TestDump compares a dump with the views that it came from, and with others.
func TestDump(t *testing.T) {
	m := random(t, 3, 20, 500)
	v := replayed(t, m, m.head())
	var b bytes.Buffer
	if err := v.Dump(&b); err != nil {
		t.Fatal(err)
	}
	first, _, _ := bytes.Cut(b.Bytes(), []byte("\n"))
	if h, err := projections.DumpHead(first); err != nil || h.Position != m.head() || h.SettleEvery != instant.Hour {
		t.Errorf("head %+v, %v", h, err)
	}
	if diffs, err := v.DiffDump(bytes.NewReader(b.Bytes())); err != nil || len(diffs) > 0 {
		t.Errorf("differs from its own dump: %v, %v", diffs, err)
	}
	cut := bytes.Replace(b.Bytes(), []byte(`"debited_msat":`), []byte(`"debited_msat":9`), 1)
	if diffs, err := v.DiffDump(bytes.NewReader(cut)); err != nil || len(diffs) != 1 || diffs[0].Field != "debited_msat" {
		t.Errorf("a changed figure gives %v, %v", diffs, err)
	}
	lines := bytes.SplitAfter(b.Bytes(), []byte("\n"))
	if diffs, err := v.DiffDump(bytes.NewReader(bytes.Join(lines[:len(lines)-2], nil))); err != nil || len(diffs) != 1 || diffs[0].Theirs != "" {
		t.Errorf("a missing line gives %v, %v", diffs, err)
	}
	for _, bad := range []string{"x", "{}", `{"stream":"b"}` + "\n" + `{"stream":"a"}`, `{"stream":"$views",`} {
		if _, err := v.DiffDump(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken for a dump", bad)
		}
	}
	if diffs := v.Diff(replayed(t, m, m.records[len(m.records)/2].Position)); len(diffs) == 0 || diffs[0].Stream != "$views" {
		t.Errorf("half a log differs in %v", diffs)
	}
}

// TestRunRefuses says which record can't be folded, and keeps what stands before it.
func TestRunRefuses(t *testing.T) {
	opened := stream.Encode(&resource.Opened{Plan: "p", Terms: resource.Terms{Price: money.Price{Msat: 1, Per: 1}}})
	for name, events := range map[string]struct {
		bad  stream.Event
		want string
	}{
		"an unknown type":  {stream.Event{Type: "resource.eaten.v1", Data: []byte("{}")}, "unknown event type"},
		"an unknown field": {stream.Event{Type: "resource.paused.v1", Data: []byte(`{"x":1}`)}, "codec"},
		"opened twice":     {opened, "opening"},
		"reversed, no lot": {stream.Encode(&resource.Reversed{Payment: "x"}), "does not follow"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			_, _ = m.Append(t.Context(), "resource-a", -1, []stream.Event{opened})
			_, _ = m.Append(t.Context(), "resource-a", 0, []stream.Event{events.bad})
			v := projections.New(1)
			err := projections.Run(t.Context(), m, v)
			if err == nil || !strings.Contains(err.Error(), events.want) || !strings.Contains(err.Error(), "position 5, resource-a revision 1") {
				t.Errorf("error %v", err)
			}
			if v.Position() != 2 {
				t.Errorf("position %d, want 2", v.Position())
			}
		})
	}
	for _, e := range []error{errors.New("disk"), nil} {
		if err := projections.Run(t.Context(), broken{newMemory(), e}, projections.New(1)); err == nil || !errors.Is(err, e) && e != nil {
			t.Errorf("a subscription that ends with %v gives %v", e, err)
		}
	}
}

// broken is a log whose subscriptions end.
type broken struct {
	*memory
	err error
}

func (b broken) Subscribe(context.Context, stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		if b.err != nil {
			yield(nil, b.err)
		}
	}
}
