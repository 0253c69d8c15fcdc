package table_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/snapshot"
	"sandglass/projections/table"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// open opens n resources with ids in no order, and returns the ids in the order of rows.
func open(t *testing.T, into *table.Table, n int) (ids []resource.ID) {
	t.Helper()
	for range n {
		id := resource.ID(fmt.Sprintf("vm-%016x", rand.Uint64()))
		rec := stream.Record{Stream: resource.Prefix + string(id)}
		opened := &resource.Opened{Plan: "p", Terms: resource.Terms{Price: money.Price{Msat: 1, Per: 1}}}
		if _, s, err := into.Fold(&rec, opened); err != nil || s.ID != id {
			t.Fatalf("opened %s: %v", id, err)
		}
		ids = append(ids, id)
	}
	return ids
}

// TestIDs asks for the ids of several moments, also for those of an earlier one last.
func TestIDs(t *testing.T) {
	tab := table.New()
	var ids []resource.ID
	var moments []table.IDs
	for _, n := range []int{3, 0, 600, 1} {
		ids = append(ids, open(t, tab, n)...)
		moments = append(moments, tab.IDs())
	}
	for _, m := range []struct{ moment, n int }{{0, 3}, {2, 603}, {3, 604}, {1, 3}, {2, 603}} {
		want := slices.Sorted(slices.Values(ids[:m.n]))
		var got []resource.ID
		for _, row := range moments[m.moment].After("") {
			got = append(got, tab.ID(row))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d ids, want %d, or another order", len(got), m.n)
		}
		if rest := moments[m.moment].After(want[1]); len(rest) != m.n-2 || tab.ID(rest[0]) != want[2] {
			t.Errorf("%d ids after the second of %d", len(rest), m.n)
		}
	}
}

// TestImageStands folds on while an image is held: it shows what was, the table what is.
func TestImageStands(t *testing.T) {
	tab := table.New()
	ids := open(t, tab, 300)
	im := tab.Hold()
	credited := &resource.Credited{Payment: "ln-1", Amount: 5, Time: 5, Price: money.Price{Msat: 1, Per: 1}}
	rec := stream.Record{Stream: resource.Prefix + string(ids[0]), Event: stream.Event{Type: credited.Type()}}
	rec.Revision = 1
	if _, _, err := tab.Fold(&rec, credited); err != nil {
		t.Fatal(err)
	}
	open(t, tab, 300)
	var was, is resource.State
	if im.Unpack(0, &was); was.Credited != 0 || len(was.Lots) != 0 || im.Len() != 300 {
		t.Errorf("the image shows %+v and %d rows", was, im.Len())
	}
	if tab.Unpack(0, &is); is.Credited != 5 || len(is.Lots) != 1 || tab.Len() != 600 {
		t.Errorf("the table shows %+v and %d rows", is, tab.Len())
	}
	shown := 0
	for range im.ByID() {
		shown++
	}
	tab.Release()
	if shown != 300 {
		t.Errorf("the image shows %d by id", shown)
	}
}

// TestFoldRefuses leaves the table as it was.
func TestFoldRefuses(t *testing.T) {
	tab := table.New()
	id := open(t, tab, 1)[0]
	for name, test := range map[string]struct {
		id       resource.ID
		revision stream.Revision
		event    resource.Event
	}{
		"no opening":   {"other", 0, &resource.Paused{}},
		"opened twice": {id, 1, &resource.Opened{}},
		"a gap":        {id, 2, &resource.Placed{Host: "a"}},
		"once more":    {id, 0, &resource.Placed{Host: "a"}},
	} {
		rec := stream.Record{Stream: resource.Prefix + string(test.id), Revision: test.revision}
		if _, _, err := tab.Fold(&rec, test.event); err == nil {
			t.Errorf("%s: was folded", name)
		}
	}
	if s, at, ok := tab.State(id); !ok || at != 0 || s.Host != "" || tab.Len() != 1 || tab.Unplaced() != 1 {
		t.Errorf("%+v at %d, %d rows", s, at, tab.Len())
	}
}

// TestWhatIsSavedIsLoaded saves a resource that lost all that it had while it was paused.
func TestWhatIsSavedIsLoaded(t *testing.T) {
	tab := table.New()
	id := open(t, tab, 1)[0]
	for i, e := range []resource.Event{
		&resource.Credited{Payment: "p", Amount: 5, Time: 5, Price: money.Price{Msat: 1, Per: 1}},
		&resource.Started{Reason: resource.ReasonPaid},
		&resource.Paused{},
		&resource.Reversed{Payment: "p", Amount: 5, Balance: 5, Time: 5},
		&resource.Exhausted{},
	} {
		*e.Effective() = instant.Time(i)
		rec := stream.Record{Stream: resource.Prefix + string(id), Revision: stream.Revision(i + 1)}
		if _, _, err := tab.Fold(&rec, e); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "snapshot")
	if err := snapshot.Save(path, "log", tab.Hold().Save); err != nil {
		t.Fatal(err)
	}
	var loaded *table.Table
	if err := snapshot.Load(path, "log", func(f *snapshot.Fields) { loaded = table.Load(f) }); err != nil {
		t.Fatal(err)
	}
	want, _, _ := tab.State(id)
	if got, _, _ := loaded.State(id); !got.Halted || !cmp.Equal(got, want, cmpopts.EquateEmpty()) {
		t.Errorf("loaded %+v\nsaved %+v", got, want)
	}
}
