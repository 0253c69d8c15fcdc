package pieces

import (
	"context"
	"fmt"
	"sync/atomic"

	"sandglass/domain/stream"
)

// pageSize is how many positions a piece of a [Paged] log has.
const pageSize = 1024

// Paged is a store whose log can be read beside each other, by positions that follow each other.
type Paged interface {
	// Page reads the records after a position up to another into p, in place of what is there. It
	// returns the latter or, if there are none, a later position up to which there are none either.
	Page(ctx context.Context, p *stream.Page, after, until stream.Position) (stream.Position, error)
}

// Of returns the log of a store up to a position, which it must reach: it waits for a log that is
// shorter, unless it is [Paged].
func Of(ctx context.Context, s stream.EventStore, until stream.Position) Log {
	if p, ok := s.(Paged); ok {
		return paged(ctx, p, until)
	}
	return func(yield func(Piece, error) bool) {
		if until == 0 {
			return // a subscription would wait for more
		}
		for run, err := range s.Subscribe(ctx, 0) {
			if err != nil {
				yield(nil, fmt.Errorf("reading the log: %w", err))
				return
			}
			n := 0
			for n < len(run) && run[n].Position <= until {
				n++
			}
			if !yield(Whole(run[:n]), nil) || n < len(run) || run[n-1].Position == until {
				return
			}
		}
		if ctx.Err() != nil {
			yield(nil, ctx.Err())
		}
	}
}

// paged yields pieces that are read where they are worked on.
func paged(ctx context.Context, s Paged, until stream.Position) Log {
	return func(yield func(Piece, error) bool) {
		var next atomic.Uint64 // nothing is between a piece that was read and this
		for at := stream.Position(0); at < until; at = max(at, stream.Position(next.Load())) {
			after, to := at, at+min(until-at, pageSize)
			at = to
			ok := yield(func(p *stream.Page) error {
				found, err := s.Page(ctx, p, after, to)
				if err != nil {
					return fmt.Errorf("reading the log: %w", err)
				}
				for {
					far := next.Load()
					if uint64(found) <= far || next.CompareAndSwap(far, uint64(found)) {
						return nil
					}
				}
			}, nil)
			if !ok {
				return
			}
		}
	}
}
