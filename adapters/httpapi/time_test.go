package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/adapters/httpapi"
	"sandglass/domain/billing"
	"sandglass/domain/resource"
)

// pipes is a listener without a network: its connections hold nothing back, and their
// time is that of the test.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// inTime runs a test whose time is made up, on a shop whose listener is pipes.
func inTime(t *testing.T, change func(*httpapi.Options), test func(*testing.T, *shop, *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := build(t, change)
		s.fold()
		close(s.swept)
		s.publish("small")
		p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		s.serve(p)
		test(t, s, p)
	})
}

// inside orders and pays for a resource.
func (s *shop) inside(id string) {
	s.t.Helper()
	req, _ := http.NewRequest("POST", "/v1/orders", strings.NewReader(`{"plan":"small","time_ms":7200000,"id":"`+id+`"}`))
	w := newRecorder()
	s.server.Handler().ServeHTTP(w, req)
	if w.status != 201 {
		s.t.Fatalf("%d %s", w.status, w.body.String())
	}
	s.settle(string(s.billing.Payments(resource.ID(id))[0].Key), 2*price)
}

func TestAStreamShowsThatItLives(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *shop, p *pipes) {
		s.inside("web-1")
		st := s.ask(p.dial(), "web-1", "")
		defer st.Close()
		began := time.Now()
		for i := range 100 { // longer than any other request may take
			st.until(t, ": alive")
			if took := time.Since(began); took != time.Duration(i+1)*15*time.Second {
				t.Fatalf("sign of life %d after %s", i+1, took)
			}
		}
	})
}

// TestAClientThatDoesNotRead is dropped, and its place is free again.
func TestAClientThatDoesNotRead(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *shop, p *pipes) {
		s.inside("web-1")
		st := s.ask(p.dial(), "web-1", "")
		st.until(t, "data: ")
		time.Sleep(15*time.Second + 9*time.Second)
		synctest.Wait()
		if n := s.streams(); n != 1 {
			t.Errorf("%d streams after 9 s without reading", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := s.streams(); n != 0 {
			t.Errorf("%d streams after 11 s without reading", n)
		}
		if _, err := io.Copy(io.Discard, st); err != nil && err != io.ErrClosedPipe {
			t.Error(err)
		}
	})
}

// streams returns the value of sandglass_live_streams.
func (s *shop) streams() (n int) {
	s.t.Helper()
	families, err := s.registry.Gather()
	s.must(err)
	for _, f := range families {
		if f.GetName() == "sandglass_live_streams" {
			n = int(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return n
}

// TestSlowClients opens connections and then does too little.
func TestSlowClients(t *testing.T) {
	for name, test := range map[string]struct {
		send, answer string
		after        time.Duration
	}{
		"no request":    {"", "", 10 * time.Second},
		"half a header": {"GET / HTTP/1.1\r\nHost:", "", 10 * time.Second},
		"half a body": {
			"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", "HTTP/1.1 408 Request Timeout",
			15 * time.Second,
		},
		"a body for nobody": {
			"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", "HTTP/1.1 404 Not Found",
			30 * time.Second,
		},
		"nothing more": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, nil, func(t *testing.T, s *shop, p *pipes) {
				c, began := p.dial(), time.Now()
				defer c.Close()
				_, err := io.WriteString(c, test.send)
				s.must(err)
				answer, _ := io.ReadAll(c)
				if !strings.HasPrefix(string(answer), test.answer) {
					t.Errorf("%s", answer)
				}
				if took := time.Since(began); took > test.after+5*time.Second {
					t.Errorf("the connection lasted %s", took)
				}
			})
		})
	}
}

// stuck is a wallet that does not answer.
type stuck struct {
	fakeWallet
	asked chan struct{}
}

func (s *stuck) Invoice(ctx context.Context, _ billing.InvoiceRequest) (billing.Invoice, error) {
	close(s.asked)
	<-ctx.Done()
	return billing.Invoice{}, ctx.Err()
}

func TestARequestEndsInTime(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *shop, p *pipes) {
		s.billing.Wallet = &stuck{asked: make(chan struct{})}
		began := time.Now()
		res := post(t, p, `{"plan":"small","time_ms":7200000}`)
		if took := time.Since(began); res.StatusCode != 503 || took != 30*time.Second {
			t.Errorf("%d after %s", res.StatusCode, took)
		}
	})
}

func post(t *testing.T, p *pipes, body string) *http.Response {
	t.Helper()
	c := p.dial()
	defer c.Close()
	_, err := fmt.Fprintf(c, "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestTheEndWaitsForRequests, but not for ever.
func TestTheEndWaitsForRequests(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *shop, p *pipes) {
		w := &stuck{asked: make(chan struct{})}
		s.billing.Wallet = w
		c := p.dial()
		defer c.Close()
		const body = `{"plan":"small","time_ms":7200000}`
		_, err := fmt.Fprintf(c, "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		s.must(err)
		<-w.asked
		began := time.Now()
		s.end()
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("the end took %s", took)
		}
		if !strings.Contains(s.log.String(), "cut off") {
			t.Error("the log does not say that requests were cut off")
		}
	})
}
