package reconcile

import (
	"context"
	"fmt"
	"iter"
	"time"

	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// secondLook is after how long both sides are read again when something differs: a
// daemon at work has booked by then what it was told of.
const secondLook = 2 * time.Second

// tellEvery is after how many events the progress is told.
const tellEvery = 50_000

// Reconciler compares a log with a wallet while both may go on.
type Reconciler struct {
	// Records yields the log after a position, up to where it ends now.
	Records func(ctx context.Context, after stream.Position) iter.Seq2[stream.Record, error]
	Still   bool // the log does not grow: one look is enough
	Reader  Reader
	// Height is where the chain is taken to end, 0 for as it is now.
	Height int64
	// Confirmations make a payment on the chain count, where no plan asks for more.
	Confirmations int

	log *Log
}

// Reconcile compares, and where something differs once more: what has come in order in
// between was under way. It also reports whether the wallet has seen the whole chain.
func (r *Reconciler) Reconcile(ctx context.Context) (report *Report, synced bool, err error) {
	r.log = NewLog()
	report, synced, err = r.look(ctx)
	if err != nil || report.Clean() || r.Still {
		return report, synced, err
	}
	if !watch.Pause(ctx, secondLook) {
		return nil, false, ctx.Err()
	}
	again, synced, err := r.look(ctx)
	if err != nil {
		return nil, false, err
	}
	again.Confirm(report)
	return again, synced, nil
}

// look compares once. The log is read before the wallet and, for what is new in it, after
// it: before, since it names the addresses and blocks to ask for; after, since the log
// follows the wallet. So what the wallet showed had the time of the reading to reach the
// log, and what the log got only after the first of its readings is not held against a
// wallet that was read in between.
func (r *Reconciler) look(ctx context.Context) (*Report, bool, error) {
	if err := r.follow(ctx); err != nil {
		return nil, false, err
	}
	known := r.log.Position
	w, err := r.Reader.Read(ctx, r.log, r.Height)
	if err != nil {
		return nil, false, err
	}
	if err := r.follow(ctx); err != nil {
		return nil, false, err
	}
	return Compare(r.log, w, Options{Known: known, Required: r.log.Required(r.Confirmations)}), w.Synced, nil
}

// follow reads what is new in the log.
func (r *Reconciler) follow(ctx context.Context) error {
	n := int64(0)
	for rec, err := range r.Records(ctx, r.log.Position) {
		if err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		if err := r.log.Add(&rec); err != nil {
			return err
		}
		if n++; n%tellEvery == 0 && r.Reader.Progress != nil {
			r.Reader.Progress("events", n, 0)
		}
	}
	return nil
}
