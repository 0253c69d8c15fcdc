package follow

import (
	"context"
	"fmt"

	"sandglass/domain/proof"
	"sandglass/domain/stream"
)

// Salted reports whether all events of a tile have a salt, as far as the log goes. Of what has none nobody is to
// have the hash who may not read it: who knows most of what an event says would find the rest by trying.
func (l *Log) Salted(ctx context.Context, n int64) (bool, error) {
	l.mu.Lock()
	err := l.tree.has(0, n, 1)
	b, until := l.tree.block(max(n, 0))
	l.mu.Unlock()
	if err != nil {
		return false, err
	}
	i := 0
	for rec, err := range stream.Between(ctx, l.store, b.After, until) {
		if err != nil {
			return false, fmt.Errorf("reading the events after position %d: %w", b.After, err)
		}
		if i++; !rec.Salted() || i == proof.Width {
			return rec.Salted(), nil
		}
	}
	return true, nil
}
