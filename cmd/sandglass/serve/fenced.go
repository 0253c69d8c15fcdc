package serve

import (
	"context"
	"iter"

	"sandglass/cmd/sandglass/buildinfo"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/fence"
	"sandglass/domain/stream"
)

// fenced is the log as all parts of the daemon have it: behind a fence.
type fenced struct {
	storeurl.Store
	fence *fence.Store
}

func newFenced(store storeurl.Store, folded <-chan struct{}) *fenced {
	return &fenced{store, fence.New(store, buildinfo.Read().Name(), folded)}
}

// Append implements [stream.EventStore].
func (f *fenced) Append(ctx context.Context, name string, expected stream.Revision, e []stream.Event) (stream.Appended, error) {
	return f.fence.Append(ctx, name, expected, e)
}

// Read implements [stream.EventStore].
func (f *fenced) Read(ctx context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	return f.fence.Read(ctx, name, from)
}

// Subscribe implements [stream.EventStore].
func (f *fenced) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return f.fence.Subscribe(ctx, after)
}

// Writable implements [storeurl.Store].
func (f *fenced) Writable() error {
	if err := f.fence.Err(); err != nil {
		return err
	}
	return f.Store.Writable()
}
