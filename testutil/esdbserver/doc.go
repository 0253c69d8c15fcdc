// Package esdbserver is an EventStoreDB of the tests: real gRPC over loopback, one log in
// memory, and faults when it is told to have them.
//
// It follows EventStoreDB 23.10 as far as the Go client can see: expected revisions and
// idempotent retries, reads both ways, subscriptions with filters and checkpoints,
// deletion, stream metadata, gossip, users with their rights, and TLS. A [Cluster] has one
// node or three. A follower answers what is read from a copy that is some milliseconds old,
// hands on to the leader what is appended, and refuses both to who asks for the leader, but
// no subscription. A leader that moves keeps its connections.
//
// Faults may be set at any time and from any goroutine, also from the functions that
// [Cluster.OnAppend] and [Cluster.OnRead] take. A write that has one either happened or
// didn't, as [Fault] says; the client can't tell, and has to ask again.
//
// This package is the cluster, its nodes and their faults. The log is in eventlog, and what
// answers a client's reads and writes in service.
//
// It leaves out persistent subscriptions, projections (so there are no links to resolve),
// BatchAppend, filters of reads and scavenges: the log only grows. Regular expressions are
// Go's, which have no lookaround. A live consumer is called too slow later than by the real
// server, which a burst of some dozens of events can bring to it:
// [Cluster.CallConsumersSlow] does it at once. Nothing is kept on disk.
package esdbserver
