package books

import (
	"fmt"
	"iter"

	"sandglass/domain/instant"
)

// Period is the time [From, To) in which events were written. A zero From is the begin of the log,
// a zero To its end.
type Period struct{ From, To instant.Time }

// Check returns an error unless the period has a length.
func (p Period) Check() error {
	if p.To != 0 && p.To <= p.From {
		return fmt.Errorf("the period ends at %s: that is not after its begin, %s", p.To, p.From)
	}
	return nil
}

// Over reports whether an instant is after the end of the period.
func (p Period) Over(at instant.Time) bool { return p.To != 0 && at >= p.To }

// Read posts the records of a log up to the end of a period. Each entry of before it is shown to
// before, each of it to within: they are theirs until they return. An error of either ends it.
func (b *Book) Read(facts iter.Seq2[*Fact, error], p Period, before, within func(*Entry) error) error {
	for f, err := range facts {
		if err != nil {
			return err
		}
		if p.Over(b.Booked(&f.Record)) {
			return nil
		}
		e, err := b.Post(f)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		see := within
		if e.On < p.From {
			see = before
		}
		if err := see(e); err != nil {
			return err
		}
	}
	return nil
}
