package harness

import (
	"context"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/projections"
)

// Fold makes the views of the log as it is now.
func Fold(ctx context.Context, s stream.EventStore) (*projections.Views, error) {
	v := projections.New(instant.Hour)
	return v, catchUp(ctx, s, v)
}

// catchUp runs v until it has what the log holds now.
func catchUp(ctx context.Context, s stream.EventStore, v *projections.Views) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- projections.Run(ctx, s, v) }()
	select {
	case err := <-done:
		return fmt.Errorf("folding the log ended early: %w", err)
	case <-v.CaughtUp():
		cancel()
		return <-done
	}
}

// FoldFile makes the views of the log in a file.
func FoldFile(ctx context.Context, path string) (*projections.Views, error) {
	s, err := OpenStore(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return Fold(ctx, s)
}
