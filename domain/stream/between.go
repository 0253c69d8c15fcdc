package stream

import (
	"context"
	"iter"
)

// Between yields the records of a store after a position up to another, which the log
// must reach: it waits for a log that is shorter.
func Between(ctx context.Context, s EventStore, after, until Position) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if until <= after {
			return // a subscription would wait for more
		}
		for run, err := range s.Subscribe(ctx, after) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			for i := range run {
				if run[i].Position > until || !yield(run[i], nil) || run[i].Position == until {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Record{}, err) // it ended before its end
		}
	}
}
