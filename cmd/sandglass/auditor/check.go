package auditor

import (
	"context"

	"sandglass/cmd/sandglass/auditor/source"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/audit"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/projections"
)

// Check folds a log from nothing up to a position, and checks what must hold in any log.
// Fold is why that can't be folded; what was found before is told all the same. Resources
// are settled every so often.
func Check(
	ctx context.Context, s stream.EventStore, until stream.Position, every instant.Millis, p show.Progress,
) (found *audit.Checker, fold error) {
	found = audit.New(until)
	log := &source.Seen{EventStore: s, See: func(r *stream.Record) {
		if found.Record(r) {
			tell(p, found.Events, r.Position, until)
		}
	}}
	views := projections.New(every)
	if err := projections.Replay(ctx, log, views, until); err != nil {
		return found, err
	}
	found.Compare(auditedViews{views})
	return found, nil
}
