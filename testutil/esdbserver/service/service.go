// Package service answers the calls of EventStoreDB's service Streams over a log in memory:
// appends, deletions, reads and subscriptions, as the server's 23.10 does.
//
// It serves one node. What the node has of the log, where it writes, and which faults a
// test has set, it asks of a [Node] and of [Faults]: who leads, and who is alive, is left
// to them.
package service

import (
	"context"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"sandglass/testutil/esdbserver/eventlog"
)

// Node is the server that answers.
type Node interface {
	// View returns the log as the node sees it now. The caller unlocks it.
	View() (eventlog.View, func())
	// Reads returns what keeps the node from answering a read: the caller asks for the
	// leader, and it is another.
	Reads(ctx context.Context) error
	// Commit writes on the leader, or returns what keeps the node from that.
	Commit(ctx context.Context, stream string, write func() eventlog.Written) (eventlog.Written, error)
	// Names returns those of the caller's user and of its groups, and whether it needs rights.
	Names(ctx context.Context) (names []string, needed bool)
}

// Faults are what a test does to reads and subscriptions.
type Faults interface {
	// BeginRead returns what is closed when the read is to be cut, and after how many
	// events it is cut anyway: below 0 is never. The stream of a read of the log is $all.
	BeginRead(stream string, subscription bool) (cut <-chan struct{}, limit int)
	// PassStall waits while calls are stalled.
	PassStall(ctx context.Context) error
	// Slow returns what is closed when the live consumers are called too slow.
	Slow() <-chan struct{}
}

// Options are how subscriptions go.
type Options struct {
	EarlyCheckpoints bool          // as KurrentDB 25.0.0 tells them
	SlowAfter        time.Duration // how long a live subscription may take over one event
}

// Streams implements [streams.StreamsServer] for a node.
type Streams struct {
	streams.UnimplementedStreamsServer
	log     *eventlog.Log
	node    Node
	faults  Faults
	options Options
}

// New returns the service of a node.
func New(log *eventlog.Log, node Node, faults Faults, o Options) *Streams {
	return &Streams{log: log, node: node, faults: faults, options: o}
}

// allow returns an error unless the caller has a right to a stream.
func (s *Streams) allow(ctx context.Context, name string, right eventlog.Right) error {
	names, needed := s.node.Names(ctx)
	if !needed {
		return nil
	}
	v, unlock := s.node.View()
	defer unlock()
	if !v.Allows(name, right, names) {
		return AccessDenied(ctx)
	}
	return nil
}

func (s *Streams) streamPage(
	name string, next int64, forwards bool, count uint64, buf []*eventlog.Record,
) eventlog.StreamPage {
	v, unlock := s.node.View()
	defer unlock()
	return v.StreamPage(name, next, forwards, count, buf)
}

func (s *Streams) logPage(next uint32, forwards bool, count int, buf []*eventlog.Record) []*eventlog.Record {
	v, unlock := s.node.View()
	defer unlock()
	return v.Page(next, forwards, count, buf)
}
