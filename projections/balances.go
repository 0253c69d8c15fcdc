package projections

import (
	"context"
	"fmt"
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/projections/ledger"
)

// Resource returns a resource and the revision that it stands at. The state is the
// caller's own, as [stream.Handler].Warm wants it.
func (v *Views) Resource(id resource.ID) (resource.State, stream.Revision, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s, at, ok := v.resources.State(id)
	return s.Clone(), at, ok
}

// Remaining returns how long the balance of a resource lasts from now, rounded down to
// whole milliseconds and never below zero: as of the last event, less the time since.
func (v *Views) Remaining(id resource.ID, now instant.Time) (instant.Millis, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.resources.Remaining(id, now)
}

// chunk is how many rows are looked at under one lock.
const chunk = 256

// Resources returns up to limit resources whose ids come after the given one, by id, of
// those that keep takes; a nil keep takes all. keep looks at a state that it may neither
// hold nor change, and calls no method of v. Ids that come up meanwhile may be missed.
func (v *Views) Resources(after resource.ID, limit int, keep func(*resource.State) bool) []resource.State {
	v.mu.RLock()
	ids := v.resources.IDs()
	v.mu.RUnlock()
	var page []resource.State
	for rows := range slices.Chunk(ids.After(after), chunk) {
		if len(page) >= limit {
			break
		}
		page = v.collect(page, rows, limit, keep)
	}
	return page
}

// collect adds to page what keep takes of some rows.
func (v *Views) collect(page []resource.State, rows []int32, limit int, keep func(*resource.State) bool) []resource.State {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var s resource.State
	for _, row := range rows {
		if len(page) == limit {
			break
		}
		v.resources.Unpack(row, &s)
		if keep == nil || keep(&s) {
			page = append(page, s.Clone())
		}
	}
	return page
}

// Counts returns how many resources there are of each status. A status that none has
// may be left out.
func (v *Views) Counts() map[resource.Status]int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	counts := map[resource.Status]int{}
	for status, n := range v.resources.Counts() {
		if n != 0 {
			counts[resource.Status(status)] = n
		}
	}
	return counts
}

// PaidUntil returns when a running resource runs out, and false for one that does not
// run: then the time that is left stands still.
func PaidUntil(s *resource.State) (instant.Time, bool) {
	if s.Status != resource.StatusRunning {
		return 0, false
	}
	return s.PaidUntil(), true
}

// AsOf returns a resource as it stood at an instant: its stream's events of up to then.
// A warning bears the instant of its crossing, which lies before the debit that it is
// written with, so events are chosen by their time and not by their place. A resource
// that was not opened by then has [resource.StatusNone].
func AsOf(ctx context.Context, store stream.EventStore, id resource.ID, at instant.Time) (resource.State, error) {
	s := resource.New(id)
	for rec, err := range store.Read(ctx, resource.Prefix+string(id), 0) {
		if err != nil {
			return s, fmt.Errorf("projections: reading %s%s: %w", resource.Prefix, id, err)
		}
		if rec.At > at {
			continue
		}
		e, err := resource.Decode(&rec)
		if err != nil {
			return s, fmt.Errorf("projections: %s revision %d: %w", rec.Stream, rec.Revision, err)
		}
		s = resource.Evolve(s, e)
	}
	return s, ctx.Err()
}

// Ledger is the sum of each account of the double-entry books.
type Ledger = ledger.Accounts

// TrialBalance returns the sums of all accounts. Unallocated is below zero only if a
// resource was credited with money that no payment brought, which is for an auditor.
func (v *Views) TrialBalance() Ledger {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.ledger
}
