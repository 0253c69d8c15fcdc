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

// Records yields the records of a log, whose pieces are read meanwhile. What a record refers to can
// be used until the next is yielded.
func Records(ctx context.Context, log Log) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		n := 0
		err := Each(ctx, log, func(*struct{}, []stream.Record, instant.Time) {}, func(_ *struct{}, recs []stream.Record) error {
			for i := range recs {
				if n++; !yield(recs[i], nil) {
					return errEnough
				}
			}
			return nil
		})
		var bad *UnreadError
		if errors.As(err, &bad) {
			err = fmt.Errorf("event %d of the log: %w", n+1, err)
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(stream.Record{}, err)
		}
	}
}
