// Package esdbserver is an EventStoreDB of the tests: real gRPC over loopback, one log in
// memory, and faults when it is told to have them.
//
// It follows EventStoreDB 23.10 as far as the Go client can see: expected revisions and
// idempotent retries, reads both ways, subscriptions with filters and checkpoints,
// deletion, stream metadata, gossip, users and TLS. A [Cluster] has one node or three,
// which share the log, so that replication takes no time unless a follower is frozen.
//
// It leaves out persistent subscriptions, projections (so there are no links to resolve),
// BatchAppend, access control lists and scavenges: the log only grows. Regular
// expressions are Go's, which have no lookaround. Nothing is kept on disk.
package esdbserver
