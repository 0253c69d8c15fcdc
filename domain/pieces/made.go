package pieces

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// errEnough ends [Each] where no more records are wanted.
var errEnough = errors.New("pieces: enough")

// Made yields what is made of each record of a log, in its order; it is made beside each other. It, and what
// it and its record refer to, can be used until the next is yielded.
func Made[T any](ctx context.Context, log Log, of func(*stream.Record) T) iter.Seq2[*T, error] {
	work := func(out *[]T, recs []stream.Record, _ instant.Time) {
		*out = (*out)[:0]
		for i := range recs {
			*out = append(*out, of(&recs[i]))
		}
	}
	return func(yield func(*T, error) bool) {
		n := 0
		err := Each(ctx, log, work, func(out *[]T, _ []stream.Record) error {
			for i := range *out {
				if n++; !yield(&(*out)[i], nil) {
					return errEnough
				}
			}
			return nil
		})
		if err = Named(err, n); err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// Named returns an error of a log of which so many records were taken: where an event can't be read, it says which.
func Named(err error, taken int) error {
	var bad *UnreadError
	if errors.As(err, &bad) {
		return fmt.Errorf("event %d of the log: %w", taken+1, err)
	}
	return err
}
