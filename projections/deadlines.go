package projections

import (
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/projections/deadline"
)

// knowDeadlines begins to keep the deadlines of the resources that v owns.
func (v *Views) knowDeadlines() {
	v.live = true
	v.deadlines = deadline.New(v.resources.Len(), v.owned(), func(yield func(int32, instant.Time) bool) {
		for row, s := range v.resources.All() {
			if at, ok := v.deadline(s); ok && !yield(row, at) {
				return
			}
		}
	})
}

// deadline returns when time alone changes a resource next, if v owns it.
func (v *Views) deadline(s *resource.State) (instant.Time, bool) {
	if !v.owns(s.Host) {
		return 0, false
	}
	return s.Deadline(v.every)
}

// NextDeadline returns the resource of this host that time changes next, and when. It
// returns false if there is none, and before [Views.CaughtUp].
func (v *Views) NextDeadline() (id resource.ID, at instant.Time, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	d, ok := v.deadlines.First()
	if !ok {
		return "", 0, false
	}
	return v.resources.ID(d.Row), d.At, true
}

// Due returns up to limit resources of this host whose deadline is now or earlier,
// earliest first. It removes none: a deadline moves when the events of its resource
// arrive, and is another host's from when the resource was moved there.
func (v *Views) Due(now instant.Time, limit int) []resource.ID {
	v.mu.RLock()
	defer v.mu.RUnlock()
	rows := v.deadlines.Until(now, limit)
	ids := make([]resource.ID, len(rows))
	for i, row := range rows {
		ids[i] = v.resources.ID(row)
	}
	return ids
}

// DeadlineMoved is a channel that gets a token when the earliest deadline has changed.
// It is for one reader.
func (v *Views) DeadlineMoved() <-chan struct{} { return v.moved }
