package cluster

import (
	"context"
	"runtime"
	"testing"
	"time"

	"sandglass/testutil/esdbserver"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// A call that waits for its turn behind calls that hang has it with the next client.
func TestAllSlotsAreTaken(t *testing.T) {
	t.Parallel()
	c, err := New(esdbserver.New(t, esdbserver.Options{}).ConnectionString(), Options{Log: func(string) {}, Probe: readOne})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	u, err := c.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range cap(u.slots) {
		u.slots <- struct{}{}
	}
	done := make(chan error, 1)
	go func() {
		_, err := Call(t.Context(), c, func(ctx context.Context, client *esdb.Client) (struct{}, error) {
			return struct{}{}, readOne(ctx, client, Left(ctx))
		})
		done <- err
	}()
	for waits := false; !waits; runtime.Gosched() {
		u.mu.Lock()
		waits = u.users > 1
		u.mu.Unlock()
	}
	c.Replace(u)
	u.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A call whose time is short, as in an outage that others have waited through, gives back
// what it took of the client.
func TestAShortCallKeepsNothing(t *testing.T) {
	t.Parallel()
	c, err := New(esdbserver.New(t, esdbserver.Options{}).ConnectionString(), Options{Log: func(string) {}, Probe: readOne})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	u, err := c.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u.Release()
	for _, patience := range []time.Duration{0, time.Nanosecond, c.AttemptTimeout(), c.Timeout()} {
		_, err = persist(t.Context(), c, patience, c.sameTime, func(context.Context, *esdb.Client) (struct{}, error) {
			return struct{}{}, Permanent(context.Canceled)
		})
		if err == nil {
			t.Errorf("%s: no error", patience)
		}
	}
	c.Replace(u)
	kept := func() (users, slots int) {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.users, len(u.slots)
	}
	users, slots := kept()
	for end := time.Now().Add(5 * time.Second); users+slots > 0 && time.Now().Before(end); users, slots = kept() {
		runtime.Gosched() // the last call gives back what it took after it was answered
	}
	if users+slots > 0 {
		t.Errorf("a client without calls has %d users, and %d of its slots are taken", users, slots)
	}
}

// readOne is a call that any cluster answers.
func readOne(ctx context.Context, client *esdb.Client, timeout time.Duration) error {
	events, err := client.ReadAll(ctx, esdb.ReadAllOptions{Deadline: &timeout}, 1)
	if err != nil {
		return err
	}
	defer events.Close()
	_, err = events.Recv()
	return err
}
