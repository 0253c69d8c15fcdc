package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
)

// proxy stands before a shop as a stock nginx does: it cuts a connection on which nothing
// came from the server for a minute.
type proxy struct {
	to    *pipes
	mu    sync.Mutex // guards what follows
	conns []net.Conn
	down  bool
	cut   int // for their silence
}

// idle is a connection through a proxy.
type idle struct {
	net.Conn
	p *proxy
}

func (c *idle) Read(b []byte) (int, error) {
	timer := time.AfterFunc(time.Minute, func() {
		c.p.mu.Lock()
		c.p.cut++
		c.p.mu.Unlock()
		_ = c.Close()
	})
	defer timer.Stop()
	return c.Conn.Read(b)
}

func (p *proxy) dial(context.Context, string, string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, errors.New("the proxy is down")
	}
	c := &idle{p.to.dial(), p}
	p.conns = append(p.conns, c)
	return c, nil
}

// fail breaks all connections, and lets none be made until it is mended.
func (p *proxy) fail(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// follower returns a client that resumes its streams through the proxy, and the waits that it
// was told of.
func (p *proxy) follower(t *testing.T, token string) (*client.Client, *[]time.Duration) {
	c, err := client.New("http://proxy.example", token)
	if err != nil {
		t.Fatal(err)
	}
	var waits []time.Duration
	transport := &http.Transport{DialContext: p.dial, DisableKeepAlives: true}
	return c.Over(&http.Client{Transport: transport}).
		Resuming(func(_ error, wait time.Duration) { waits = append(waits, wait) }), &waits
}

// gather passes on what a stream yields, in the background, until ctx ends.
func gather[T any](t *testing.T, seq iter.Seq2[T, error]) <-chan T {
	got := make(chan T, 100)
	go func() {
		defer close(got)
		for v, err := range seq {
			if errors.Is(err, context.Canceled) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			got <- v
		}
	}()
	return got
}

// TestFollowersOutliveSilenceAndBreaks: nothing happens for an hour, then the connection breaks
// before the first event, and stays broken for a while.
func TestFollowersOutliveSilenceAndBreaks(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *shop, p *pipes) {
		s.inside("web-1")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		nginx := &proxy{to: p}
		auditor, waits := nginx.follower(t, auditorToken)
		events := gather(t, auditor.Events(ctx, uint64(s.views.Position()), true)) // nothing to show
		payer, _ := nginx.follower(t, "")
		lives := gather(t, payer.Live(ctx, "web-1"))
		if r := <-lives; r.Status != "running" {
			t.Errorf("at first: %+v", r)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if nginx.cut != 0 || len(*waits) != 0 || len(lives) != 0 {
			t.Errorf("%d connections were cut in an hour of silence, %v", nginx.cut, *waits)
		}
		nginx.fail(true)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		tries := len(*waits)
		if longest := (*waits)[tries-1]; tries < 10*60/8 || tries > 10*60/2 || longest > 8*time.Second || (*waits)[0] > time.Second {
			t.Errorf("%d tries in 10 minutes, after %v", tries, *waits)
		}
		nginx.fail(false)
		first := s.views.Position()
		s.grant("web-1")
		if e := <-events; e.Position <= uint64(first) {
			t.Errorf("after the break: %+v", e)
		}
		if r := <-lives; len(r.Lots) == 0 {
			t.Errorf("after the break: %+v", r)
		}
		stop()
		for range events {
		}
		for range lives { // to their ends
		}
	})
}

// TestFollowersSeeEachEventOnce: connections break all the time.
func TestFollowersSeeEachEventOnce(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *shop, p *pipes) {
		s.inside("web-1")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		nginx := &proxy{to: p}
		auditor, _ := nginx.follower(t, auditorToken)
		events := gather(t, auditor.Events(ctx, 0, true))
		synctest.Wait() // a first connection that breaks before it is answered is an error
		for range 20 {
			nginx.fail(false)
			s.grant("web-1")
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		stop()
		var got []wire.Event
		for e := range events {
			got = append(got, e)
		}
		want := s.records(0)
		if len(got) != len(want) {
			t.Fatalf("%d events of %d", len(got), len(want))
		}
		for i := range got {
			if got[i].ID != want[i].ID.String() {
				t.Errorf("event %d is %+v", i, got[i])
			}
		}
	})
}

// TestAConnectionWhoseOtherEndIsGoneIsGivenUp: no packet says so.
func TestAConnectionWhoseOtherEndIsGoneIsGivenUp(t *testing.T) {
	inTime(t, func(o *httpapi.Options) { o.Limits.Heartbeat = 24 * time.Hour }, func(t *testing.T, s *shop, p *pipes) {
		s.inside("web-1")
		c, err := client.New("http://host.example", "")
		s.must(err)
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return p.dial(), nil }}
		defer transport.CloseIdleConnections()
		began := time.Now()
		for _, err = range c.Over(&http.Client{Transport: transport}).Live(t.Context(), "web-1") {
		}
		if took := time.Since(began); err == nil || errors.Is(err, io.ErrUnexpectedEOF) || took != time.Minute {
			t.Errorf("given up after %s: %v", took, err)
		}
	})
}

// TestAFollowerThatIsRefusedStops: asking again changes nothing.
func TestAFollowerThatIsRefusedStops(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *shop, p *pipes) {
		nginx := &proxy{to: p}
		c, waits := nginx.follower(t, "")
		var last error
		for _, last = range c.Events(t.Context(), 0, true) {
		}
		if client.Code(last) != "no_token" || len(*waits) != 0 {
			t.Errorf("%v, after %v", last, *waits)
		}
		nginx.fail(true)
		for _, last = range c.Live(t.Context(), "web-1") {
		}
		if last == nil || len(*waits) != 0 {
			t.Errorf("who never was there: %v, after %v", last, *waits)
		}
	})
}

// grant gives a resource a second more.
func (s *shop) grant(id string) {
	s.t.Helper()
	s.clock.Advance(1)
	key := fmt.Sprint("grant-", int64(s.clock.Now()))
	out, err := s.billing.Grant(s.t.Context(), stream.Meta{}, resource.ID(id), key, instant.Second, "a test")
	s.must(errors.Join(err, s.views.WaitFor(s.t.Context(), out.Position)))
}
