package projections

import (
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/projections/deadline"
)

// deadlines are the instants at which time alone changes the resources: of those that have no
// time it is their release, which may have to wait, and must not keep the others waiting.
type deadlines struct{ running, releases deadline.Queue }

func (d *deadlines) set(row int32, s *resource.State, at instant.Time, ok bool) {
	runs := passes(s)
	d.running.Set(row, at, ok && runs)
	d.releases.Set(row, at, ok && !runs)
}

// passes reports whether a resource that has a deadline comes to it by its time, and not by the
// end of its grace.
func passes(s *resource.State) bool {
	_, ends := s.ReleaseAt()
	return !ends
}

// first returns what is due first of either.
func (d *deadlines) first() (first [2]deadline.Due) {
	first[0], _ = d.running.First()
	first[1], _ = d.releases.First()
	return first
}

// knowDeadlines begins to keep the deadlines of the resources that v owns.
func (v *Views) knowDeadlines() {
	v.live = true
	of := func(runs bool) deadline.Queue {
		return deadline.New(v.resources.Len(), v.owned(), func(yield func(int32, instant.Time) bool) {
			for row, s := range v.resources.All() {
				at, ok := v.deadline(s)
				if ok && runs == passes(s) && !yield(row, at) {
					return
				}
			}
		})
	}
	v.deadlines = deadlines{of(true), of(false)}
}

// deadline returns when time alone changes a resource next, if v owns it.
func (v *Views) deadline(s *resource.State) (instant.Time, bool) {
	if !v.owns(s.Host) {
		return 0, false
	}
	return s.Deadline(v.every)
}

// NextDeadline returns when time next changes a resource of this host, but for releases
// that were due by now and are not done: what they wait for, no deadline tells. It returns
// false if there is none, and before [Views.CaughtUp].
func (v *Views) NextDeadline(now instant.Time) (at instant.Time, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	d, ok := v.deadlines.running.First()
	if r, any := v.deadlines.releases.First(); any && r.At > now && (!ok || r.At < d.At) {
		d, ok = r, true
	}
	return d.At, ok
}

// Due returns up to limit resources of this host whose deadline is now or earlier, earliest
// first, and the earliest of them. Those to be released are among them if their grace had
// ended by swept, and neither the gap keeps them nor held, which may be nil. It removes none: a
// deadline moves when the events of its resource arrive, and is another host's from when the
// resource was moved there.
func (v *Views) Due(
	now, swept instant.Time, gap instant.Gap, held func(resource.ID) bool, limit int,
) (ids []resource.ID, first instant.Time) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var kept func(int32) bool // nil for none, so that none is unpacked
	inGap := gap.Holds(now, instant.Century)
	if inGap || held != nil {
		kept = func(row int32) bool {
			id := v.resources.ID(row)
			if held != nil && held(id) {
				return true
			}
			s, _, ok := v.resources.State(id)
			return inGap && ok && s.KeptBy(gap, now)
		}
	}
	runs := v.deadlines.running.Until(now, limit, nil)
	ends := v.deadlines.releases.Until(min(now, swept), limit, kept)
	for len(ids) < limit && len(runs)+len(ends) > 0 {
		from := &runs
		if len(runs) == 0 || len(ends) > 0 && ends[0].Before(runs[0]) {
			from = &ends
		}
		d := (*from)[0]
		*from = (*from)[1:]
		if ids = append(ids, v.resources.ID(d.Row)); len(ids) == 1 {
			first = d.At
		}
	}
	return ids, first
}

// ReleaseWaits reports whether a resource of this host was due for release after one instant
// and by another, and is not released.
func (v *Views) ReleaseWaits(after, by instant.Time) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	earlier := func(row int32) bool {
		s, _, ok := v.resources.State(v.resources.ID(row))
		at, due := v.deadline(&s)
		return !ok || !due || at <= after
	}
	return len(v.deadlines.releases.Until(by, 1, earlier)) > 0
}

// DeadlineMoved is a channel that gets a token when the earliest deadline has changed.
// It is for one reader.
func (v *Views) DeadlineMoved() <-chan struct{} { return v.moved }
