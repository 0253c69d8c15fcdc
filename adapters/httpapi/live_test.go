package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/stream"
)

func TestALifeAsItHappens(t *testing.T) {
	s := open(t, nil)
	o := s.order("web-1")
	next, stop := iter.Pull2(s.client("").Live(t.Context(), "web-1"))
	defer stop()
	// What lies between is shown or not, and a state may be shown twice.
	see := func(status string, pending int) {
		t.Helper()
		for {
			r, err, ok := next()
			if !ok || err != nil || r.Position == 0 {
				t.Fatalf("waiting for %s with %d pending: %+v, %v, %v", status, pending, r, err, ok)
			}
			if r.Status == status && len(r.Pending) == pending {
				return
			}
		}
	}
	see("awaiting", 1)
	s.settle(o.Payment.Key, o.Payment.Asked)
	see("running", 0)
	c := s.client(o.HolderKey)
	_, err := c.Pause(t.Context(), "web-1")
	s.must(err)
	see("paused", 0)
	_, err = c.Release(t.Context(), "web-1")
	s.must(err)
	see("released", 0)
	if r, err, ok := next(); ok {
		t.Errorf("after the release: %+v, %v", r, err)
	}
}

func TestTheLifeOfWhatIsReleased(t *testing.T) {
	s := open(t, nil)
	o := s.running("web-1")
	_, err := s.client(o.HolderKey).Release(t.Context(), "web-1")
	s.must(err)
	got := s.send("GET", "/v1/resources/web-1/live", "")
	if got.status != 200 || got.header.Get("Content-Type") != "text/event-stream" ||
		!strings.HasPrefix(got.body, "retry: 3000\nid: ") || !strings.HasSuffix(got.body, "\n\n") ||
		!strings.Contains(got.body, "\nevent: resource\ndata: {") {
		t.Errorf("%d %v %q", got.status, got.header, got.body)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(got.body, "retry: 3000\nid: "), "\n")
	if again := s.send("GET", "/v1/resources/web-1/live", "", "Last-Event-ID: "+id); again.status != 204 {
		t.Errorf("who comes back after the end: %d %s", again.status, again.body)
	}
	if again := s.send("GET", "/v1/resources/web-1/live", "", "Last-Event-ID: 1"); again.status != 200 || again.body != got.body {
		t.Errorf("who comes back and has not seen the end: %d %s", again.status, again.body)
	}
}

// TestTheEndOfTheServerEndsTheStreams: clients are told, by an end that is no end.
func TestTheEndOfTheServerEndsTheStreams(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	live, stopLive := iter.Pull2(s.client("").Live(t.Context(), "web-1"))
	defer stopLive()
	if _, err, _ := live(); err != nil {
		t.Fatal(err)
	}
	events, stopEvents := iter.Pull2(s.client(auditorToken).Events(t.Context(), 0, true))
	defer stopEvents()
	for range s.views.Position() {
		if _, err, _ := events(); err != nil {
			t.Fatal(err)
		}
	}
	s.end()
	if _, err, _ := live(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the life ends with %v", err)
	}
	if _, err, _ := events(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the events end with %v", err)
	}
}

func TestStreamsHaveAQuota(t *testing.T) {
	s := open(t, func(o *httpapi.Options) { o.Limits.Live, o.Limits.LivePer, o.TrustProxy = 3, 2, true })
	s.running("web-1")
	streams := map[string]*feed{}
	for _, name := range []string{"192.0.2.1 a", "192.0.2.1 b", "192.0.2.2 c"} {
		streams[name] = s.live("web-1", name[:9])
		defer streams[name].Close()
		if streams[name].status != 200 {
			t.Errorf("%s: %d", name, streams[name].status)
		}
	}
	for addr, want := range map[string]int{"192.0.2.1": 429, "192.0.2.3": 503} {
		got := s.send("GET", "/v1/resources/web-1/live", "", "X-Forwarded-For: "+addr)
		if got.status != want || got.problem.Code != "too_many_streams" || got.header.Get("Retry-After") == "" {
			t.Errorf("one more of %s: %d %s", addr, got.status, got.body)
		}
	}
	trusted := s.send(http.MethodHead, "/v1/resources/web-1/live", "", bearer(operatorToken))
	if trusted.status != 200 {
		t.Errorf("the operator: %d", trusted.status)
	}
	streams["192.0.2.1 a"].Close()
	s.gauge("sandglass_live_streams 2")
	again := s.live("web-1", "192.0.2.1")
	defer again.Close()
	if again.status != 200 {
		t.Errorf("after one was closed: %d", again.status)
	}
}

// gauge waits until the metrics have that line.
func (s *shop) gauge(line string) {
	s.t.Helper()
	for !strings.Contains(s.send("GET", "/metrics", "", bearer(operatorToken)).body, "\n"+line+"\n") {
		if s.t.Context().Err() != nil {
			s.t.Fatal(line)
		}
	}
}

// feed is a stream of events, as it comes over a connection.
type feed struct {
	net.Conn
	in     *bufio.Reader
	status int
}

// live opens a stream by hand: a client of net/http would cost more than the server.
func (s *shop) live(id, from string) *feed {
	s.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	s.must(err)
	return s.ask(c, id, from)
}

func (s *shop) ask(c net.Conn, id, from string) *feed {
	s.t.Helper()
	_, err := fmt.Fprintf(c, "GET /v1/resources/%s/live HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n\r\n", id, from)
	s.must(err)
	st := &feed{Conn: c, in: bufio.NewReaderSize(c, 512)}
	line, err := st.in.ReadString('\n')
	s.must(err)
	_, err = fmt.Sscanf(line, "HTTP/1.1 %d", &st.status)
	s.must(err)
	return st
}

// until reads up to a line that begins so, and returns it.
func (st *feed) until(t testing.TB, prefix string) string {
	t.Helper()
	for {
		line, err := st.in.ReadString('\n')
		if err != nil {
			t.Fatalf("waiting for %q: %v", prefix, err)
		}
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
}

// TestManyChangesAreShownAsFew lets a resource change faster than its client reads: what
// is shown last is what is.
func TestManyChangesAreShownAsFew(t *testing.T) {
	s := open(t, nil)
	s.running("web-1")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	last := make(chan wire.Resource, 1)
	go func() {
		defer close(last)
		for r, err := range s.client("").Live(ctx, "web-1") {
			if err != nil {
				return
			}
			if r.Credited == 102*price {
				last <- r
				return
			}
		}
	}()
	for i := range 100 {
		key := fmt.Sprintf("ln-%064d-1-%d", 0, i)
		s.settle(key, price)
		_, err := s.billing.Allocate(t.Context(), stream.Meta{}, payment.Key(key), "web-1", "")
		s.must(err)
	}
	if r := <-last; r.Credited != money.Msat(102*price) {
		t.Errorf("%+v", r)
	}
}
