package billing_test

import (
	"errors"
	"testing"

	"sandglass/domain/billing"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/stream"
)

// A pause that is decided on a view which lags behind is not taken for the retry of an earlier
// pause, also at the very same instant, as where a clock stands still since it was set back:
// whoever is told that a resource is paused has it paused.
func TestAPauseThatIsAnsweredIsDone(t *testing.T) {
	for _, where := range []string{"at one host", "at two hosts"} {
		t.Run(where, func(t *testing.T) {
			s := open(t)
			o := s.order(billing.OrderRequest{Plan: "small", Time: hour, IdempotencyKey: key})
			s.settle(o.Payment, o.Payment.Asked)
			id := o.Resource.ID
			lagging, rev, _ := s.views.Resource(id) // what views show for some milliseconds
			host := func() *resource.Handler {
				return &resource.Handler{
					Aggregate: resource.Aggregate(), Store: s.store,
					Warm: func(resource.ID) (resource.State, stream.Revision, bool) { return lagging.Clone(), rev, true },
				}
			}
			first := host()
			second := first
			if where == "at two hosts" {
				second = host()
			}
			when := resource.When{At: s.clock.Now()}
			for _, c := range []resource.Command{resource.Pause{When: when}, resource.Resume{When: when}} {
				if _, err := first.Execute(t.Context(), id, stream.Meta{}, c); err != nil {
					t.Fatal(err)
				}
			}
			told, err := second.Execute(t.Context(), id, stream.Meta{}, resource.Pause{When: when})
			if err != nil && !errors.Is(err, uptime.ErrTooSoon) {
				t.Fatal(err)
			}
			real, err := host().Load(t.Context(), id)
			if err != nil || real.State.Status != told.State.Status {
				t.Errorf("the holder was told %q, the log says %q: %v", told.State.Status, real.State.Status, err)
			}
		})
	}
}
