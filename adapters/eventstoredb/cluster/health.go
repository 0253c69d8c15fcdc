package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// failure is what went wrong first, and when; nothing was written since.
type failure struct {
	err error
	at  time.Time
}

// lookEvery is the pause between two looks whether the cluster is back, and how long it is
// away before that is told.
const lookEvery = time.Second

// failed notes that the cluster did not answer. From then on the store is not writable,
// until a look shows that it is.
func (c *Cluster) failed(err error) {
	c.mu.Lock() // so that Close waits for the look, or none begins
	defer c.mu.Unlock()
	if c.ctx.Err() == nil && c.down.CompareAndSwap(nil, &failure{err, time.Now()}) && c.opened.Load() {
		c.looking.Go(func() { c.look(err) })
	}
}

// watches is how often the leader is asked for, in the time of a call. A cluster that has lost
// its quorum goes on to answer what any node may answer: who asks for nothing would not know.
const watches = 4

// watch asks for the leader now and then, while all goes well, until the store is closed.
func (c *Cluster) watch() {
	pause := time.NewTicker(c.options.Timeout / watches)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-c.ctx.Done():
			return
		}
		if c.down.Load() != nil {
			continue
		}
		err := c.askLeader()
		if err != nil && !moved(err) && !swept(err) && !errors.Is(err, errRetired) {
			c.failed(err)
		}
	}
}

// askLeader makes a call that the leader alone answers.
func (c *Cluster) askLeader() error {
	ctx, cancel := c.Bound(c.ctx, c.AttemptTimeout())
	defer cancel()
	_, err := attempt(ctx, c, true, c.AttemptTimeout(), func(ctx context.Context, client *esdb.Client) (struct{}, error) {
		return struct{}{}, c.options.Probe(ctx, client, Left(ctx))
	})
	return err
}

// look looks for the cluster until it takes a write, or the store is closed. A leader that
// moves is not worth a word: what is short is not told.
func (c *Cluster) look(err error) {
	began, told := time.Now(), make(chan struct{})
	alarm := time.AfterFunc(lookEvery, func() {
		defer close(told)
		c.options.Log(fmt.Sprintf("the cluster does not answer, nothing is written until it does: %v", err))
	})
	back := c.back(began)
	if alarm.Stop() {
		return
	}
	if <-told; back {
		c.options.Log(fmt.Sprintf("the cluster takes writes again, after %s", time.Since(began).Round(time.Millisecond)))
	}
}

// back waits until the cluster takes a write, and reports whether it did. What is wrong for
// good is what the store says then, also in the words of calls that are refused.
func (c *Cluster) back(began time.Time) bool {
	pause := time.NewTicker(lookEvery)
	defer pause.Stop()
	for c.ctx.Err() == nil {
		err := c.touch()
		if err == nil {
			c.down.Store(nil)
			return true
		}
		if !Transient(err) {
			c.down.Store(&failure{err, began})
		}
		select {
		case <-pause.C:
		case <-c.ctx.Done():
		}
	}
	return false
}

// touch asks whether the cluster takes a write.
func (c *Cluster) touch() error {
	_, err := persist(c.ctx, c, c.options.Timeout, c.moreTime, func(ctx context.Context, client *esdb.Client) (struct{}, error) {
		return struct{}{}, c.options.Touch(ctx, client)
	})
	return err
}

// Writable returns nil, or why appends are not taken now: the cluster did not answer, and
// has taken no write since.
func (c *Cluster) Writable() error {
	if f := c.down.Load(); f != nil {
		return c.explain(f.err)
	}
	return nil
}

// explain puts the end of all attempts into words, as [stream.ErrUnavailable] where
// another try may go well, with what the client says while it finds no node.
func (c *Cluster) explain(err error) error {
	if !Transient(err) {
		return err
	}
	if wrong := c.wrong.Load(); wrong != nil {
		return fmt.Errorf("%w: %w", stream.ErrUnavailable, *wrong)
	}
	said := ""
	if words := c.said.Load(); words != nil {
		said = ": " + *words
	}
	return fmt.Errorf("eventstoredb: %w: %w%s: see that the cluster runs and can be reached from here",
		stream.ErrUnavailable, err, said)
}
