package projections_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/resource/lots"
	"sandglass/domain/stream"
	"sandglass/projections"
	"sandglass/testutil/histories"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTrialBalance folds event by event: the books balance after each.
func TestTrialBalance(t *testing.T) {
	m := random(t, 7, 20, 800)
	v := projections.New(instant.Hour)
	for i, rec := range m.records {
		if err := projections.Replay(t.Context(), m, v, rec.Position); err != nil {
			t.Fatal(err)
		}
		// What was reorged may stand as unallocated below zero until its credit is taken back.
		pending := func(d projections.Difference) bool { return d.Field == "unallocated_msat" }
		if diffs := slices.DeleteFunc(v.Check(), pending); len(diffs) > 0 {
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
		records := slices.DeleteFunc(slices.Clone(m.records), func(r stream.Record) bool {
			return !strings.HasPrefix(r.Stream, resource.Prefix)
		})
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
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			rt.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func TestPaidUntil(t *testing.T) {
	s := resource.State{
		Status: resource.StatusRunning,
		Queue: lots.Queue{
			Lots:  []lots.Lot{{Amount: 7, Time: 10, Used: 10}, {Amount: 3, Time: 2 * instant.Hour, Used: 5}},
			First: 1,
		},
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
	missing := bytes.NewReader(bytes.Join(lines[:len(lines)-2], nil))
	if diffs, err := v.DiffDump(missing); err != nil || len(diffs) != 1 || diffs[0].Theirs != "" {
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
			where := "position 5, resource-a revision 1"
			if err == nil || !strings.Contains(err.Error(), events.want) || !strings.Contains(err.Error(), where) {
				t.Errorf("error %v", err)
			}
			if v.Position() != 2 {
				t.Errorf("position %d, want 2", v.Position())
			}
		})
	}
	for _, e := range []error{errors.New("disk"), nil} {
		err := projections.Run(t.Context(), broken{newMemory(), e}, projections.New(1))
		if err == nil || !errors.Is(err, e) && e != nil {
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
