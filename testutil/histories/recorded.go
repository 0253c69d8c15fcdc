package histories

import "sandglass/domain/stream"

// Recorded returns what a world of up to so many resources writes in so many steps, as a store would
// have it: each recorded at the time of its step.
func Recorded(seed uint64, resources, steps int) (records []stream.Record) {
	w := New(seed, resources)
	for range steps {
		for _, a := range w.Step() {
			for i, e := range a.Events {
				records = append(records, stream.Record{
					Event:      e,
					Stream:     a.Stream,
					Revision:   a.Expected + 1 + stream.Revision(i),
					Position:   stream.Position(len(records) + 1),
					RecordedAt: w.Now,
				})
			}
		}
	}
	return records
}
