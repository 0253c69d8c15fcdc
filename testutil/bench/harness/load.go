package harness

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sandglass/domain/codec"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// Debit is an event as the meter writes them.
func Debit(name string, rev stream.Revision) stream.Event {
	from := instant.Time(1_767_225_600_000 + instant.Millis(rev)*instant.Hour)
	e := stream.Encode(&resource.Debited{
		At: resource.At{At: from.Add(instant.Hour)}, From: from, Time: instant.Hour, Amount: 3_600_000,
	})
	e.ID = stream.NewID(name, rev, e)
	e.Meta = codec.Encode(&stream.Meta{Actor: "meter", Correlation: "0123456789abcdef"})
	return e
}

// StreamName returns the stream of a client.
func StreamName(client int) string { return fmt.Sprintf("%svm-%012d", resource.Prefix, client) }

// Tally is what some clients did.
type Tally struct {
	Events int
	Took   time.Duration
	Each   []time.Duration
	Bytes  int64 // on disk, once it is known
}

// Rate returns events a second.
func (t *Tally) Rate() float64 { return float64(t.Events) / t.Took.Seconds() }

// Percentile returns the latency in microseconds that so many of 100 stay below.
func (t *Tally) Percentile(p int) float64 {
	if len(t.Each) == 0 {
		return 0
	}
	slices.Sort(t.Each)
	return float64(t.Each[len(t.Each)*p/100].Nanoseconds()) / 1000
}

// Commit calls f n times and notes how long each took.
func (t *Tally) Commit(n int, f func() error) error {
	for range n {
		start := time.Now()
		if err := f(); err != nil {
			return err
		}
		d := time.Since(start)
		t.Took, t.Each = t.Took+d, append(t.Each, d)
		t.Events++
	}
	return nil
}

// Each returns f of each item.
func Each[T any](items []T, f func(T) float64) []float64 {
	v := make([]float64, len(items))
	for i, item := range items {
		v[i] = f(item)
	}
	return v
}

// Write puts an event at a revision of a stream.
type Write func(name string, rev stream.Revision, e stream.Event) error

// WriteFor has many clients write, each to a stream of its own, for a time.
func WriteFor(clients int, long time.Duration, do Write) (*Tally, error) {
	return DoFor(clients, long, func(name string, rev stream.Revision) error { return do(name, rev, Debit(name, rev)) })
}

// DoFor has many clients do something, each with a stream of its own, for a time.
func DoFor(clients int, long time.Duration, do func(name string, rev stream.Revision) error) (*Tally, error) {
	parts := make([]Tally, clients)
	start := time.Now()
	err := Together(clients, func(c int) error { return parts[c].client(c, start.Add(long), do) })
	all := &Tally{Took: time.Since(start)}
	for _, part := range parts {
		all.Events += part.Events
		all.Each = append(all.Each, part.Each...)
	}
	return all, err
}

// Together calls do for each of some clients at once.
func Together(clients int, do func(client int) error) error {
	failed := make([]error, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() { failed[c] = do(c) })
	}
	wg.Wait()
	return errors.Join(failed...)
}

// client does one after the other until the end.
func (t *Tally) client(client int, end time.Time, do func(name string, rev stream.Revision) error) error {
	name := StreamName(client)
	for rev := stream.Revision(0); time.Now().Before(end); rev++ {
		if err := t.Commit(1, func() error { return do(name, rev) }); err != nil {
			return err
		}
	}
	return nil
}
