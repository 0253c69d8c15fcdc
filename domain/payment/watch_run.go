package payment

import "context"

// Run watches until ctx ends, and then returns nil. It returns an error only where
// trying again can't help.
func (w *Watcher) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

type lanes struct{}
