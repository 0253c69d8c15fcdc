package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/admission"
	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

func TestRatesAreLimitedByAddress(t *testing.T) {
	s := open(t, func(o *httpapi.Options) {
		o.TrustProxy = true
		o.Limits.Reads, o.Limits.Writes = httpapi.Rate{PerSecond: 2, Burst: 3}, httpapi.Rate{PerSecond: 0.1, Burst: 1}
	})
	read := func(from string, want int, headers ...string) {
		t.Helper()
		got := s.send("GET", "/v1/plans", "", append(headers, "X-Forwarded-For: "+from)...)
		if got.status != want || want == 429 && (got.problem.Code != "rate_limited" || got.header.Get("Retry-After") != "1") {
			t.Errorf("%s: %d %v %s", from, got.status, got.header, got.body)
		}
	}
	for range 3 {
		read("192.0.2.1", 200)
	}
	read("192.0.2.1", 429)
	read("192.0.2.2", 200)
	read("192.0.2.1", 200, bearer(operatorToken))
	read("192.0.2.1", 429, bearer("a guess"))
	read("198.51.100.1, 192.0.2.1", 429) // the proxy adds the last one; those before it may be made up
	read("2001:db8::1", 200)
	read("2001:db8::2", 200)
	read("[2001:db8:0:0:ffff::2]:443", 200)
	read("2001:db8::3", 429)
	read("2001:db8:0:1::1", 200)
	read("::ffff:192.0.2.1", 429)
	for range 3 {
		read("nonsense", 200) // the proxy's own address
	}
	read("also nonsense", 429)
	s.clock.Advance(500)
	read("192.0.2.1", 200)
	read("192.0.2.1", 429)

	write := func(want int) {
		t.Helper()
		got := s.send("POST", "/v1/orders", `{"plan":"small","time_ms":3600000}`, "X-Forwarded-For: 192.0.2.1")
		if got.status != want || want == 429 && got.header.Get("Retry-After") != "10" {
			t.Errorf("%d %v %s", got.status, got.header, got.body)
		}
	}
	write(201)
	write(429)
	s.clock.Advance(10 * instant.Second)
	write(201)
	if got := s.send("GET", "/healthz", "", "X-Forwarded-For: 192.0.2.1"); got.status != 200 {
		t.Errorf("/healthz: %d", got.status)
	}
	page := s.send("GET", "/metrics", "", bearer(operatorToken)).body
	for _, line := range []string{
		`sandglass_http_rate_limited_total{kind="read"} 7`,
		`sandglass_http_rate_limited_total{kind="write"} 1`,
	} {
		if !strings.Contains(page, line) {
			t.Errorf("no line %s in\n%s", line, page)
		}
	}
}

// What nobody has paid is bounded by its rate: by address, by network, and in all. What was paid
// has a share of its own, and its holder another.
func TestWhatNobodyPaidIsLimited(t *testing.T) {
	once := limit.Rate{PerSecond: 0.1, Burst: 1}
	s := open(t, func(o *httpapi.Options) {
		o.TrustProxy = true
		o.Limits.Unpaid = admission.Limits{
			Orders:    limit.Share{Address: once, Network: limit.Rate{PerSecond: 0.1, Burst: 2}, All: limit.Rate{PerSecond: 1, Burst: 4}},
			Addresses: limit.Share{Address: once, Network: free.Network, All: free.All},
			TopUps:    limit.Share{Address: free.Address, Network: once, All: free.All},
			Holder:    limit.Rate{PerSecond: 0.1, Burst: 2},
		}
	})
	s.accept(&chain{})
	post := func(from, path, body, wait string, headers ...string) (o wire.Order) {
		t.Helper()
		got := s.send("POST", path, body, append(headers, "X-Forwarded-For: "+from)...)
		if limited := got.status == 429; limited != (wait != "") || got.status >= 500 || got.header.Get("Retry-After") != wait ||
			limited && got.problem.Code != "rate_limited" {
			t.Errorf("%s %s: %d %v %s", from, path, got.status, got.header, got.body)
		}
		if got.status == 201 && path == "/v1/orders" {
			s.must(json.Unmarshal([]byte(got.body), &o))
		}
		return o
	}
	hours := func(n int) string { return fmt.Sprintf(`{"plan":"small","time_ms":%d}`, n*3_600_000) }
	time := func(n int) string { return fmt.Sprintf(`{"time_ms":%d}`, n*3_600_000) }
	same := "Idempotency-Key: " + key
	mine := post("192.0.2.1", "/v1/orders", hours(1), "", same)
	id := "/v1/resources/" + mine.Resource.ID
	post("192.0.2.1", "/v1/orders", hours(1), "10")
	post("192.0.2.1", id+"/payments", time(2), "10")
	post("192.0.2.1", "/v1/orders", hours(1), "", same) // which is given again
	post("192.0.2.2", "/v1/orders", hours(1), "")
	post("192.0.2.3", "/v1/orders", hours(1), "10")
	post("192.0.3.3", "/v1/orders", hours(1), "")
	post("192.0.4.3", "/v1/orders", hours(1), "")
	post("192.0.5.3", "/v1/orders", hours(1), "1")
	post("192.0.2.1", "/v1/orders", hours(1), "", bearer(operatorToken))

	post("192.0.5.3", id+"/address", "", "")
	post("192.0.5.3", id+"/address", "", "")
	other := post("192.0.6.3", "/v1/orders", hours(1), "", bearer(auditorToken))
	post("192.0.5.3", "/v1/resources/"+other.Resource.ID+"/address", "", "10")

	s.settle(mine.Payment.Key, mine.Payment.Asked)
	post("192.0.5.3", id+"/payments", time(3), "")
	post("192.0.5.4", id+"/payments", time(4), "10")
	post("192.0.5.4", id+"/payments", time(5), "", bearer(mine.HolderKey))
	post("192.0.5.4", id+"/payments", time(6), "", bearer(mine.HolderKey))
	post("192.0.5.4", id+"/payments", time(7), "10", bearer(mine.HolderKey))
	page := s.send("GET", "/metrics", "", bearer(operatorToken)).body
	for kind, n := range map[string]int{"order": 4, "address": 1, "top_up": 1, "holder": 1} {
		if line := fmt.Sprintf("sandglass_http_rate_limited_total{kind=%q} %d\n", kind, n); !strings.Contains(page, line) {
			t.Errorf("no line %s in\n%s", line, page)
		}
	}
}

// TestAProxyIsTrustedOnlyIfSaidSo: else anybody could name any address.
func TestAProxyIsTrustedOnlyIfSaidSo(t *testing.T) {
	s := open(t, func(o *httpapi.Options) { o.Limits.Reads = httpapi.Rate{PerSecond: 1, Burst: 1} })
	for i, want := range []int{200, 429, 429} {
		if got := s.send("GET", "/v1/plans", "", fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i)); got.status != want {
			t.Errorf("request %d: %d", i, got.status)
		}
	}
}

// TestAddressesAreForgotten: the table has a bound, and those that came last stay in it.
func TestAddressesAreForgotten(t *testing.T) {
	s := open(t, func(o *httpapi.Options) {
		o.TrustProxy, o.Limits.Addresses, o.Limits.Reads = true, 2, httpapi.Rate{PerSecond: 1, Burst: 1}
	})
	for i, test := range []struct {
		from string
		want int
	}{{"192.0.2.1", 200}, {"192.0.2.2", 200}, {"192.0.2.1", 429}, {"192.0.2.3", 200}, {"192.0.2.1", 429}, {"192.0.2.2", 200}} {
		if got := s.send("GET", "/v1/plans", "", "X-Forwarded-For: "+test.from); got.status != test.want {
			t.Errorf("request %d, of %s: %d, want %d", i, test.from, got.status, test.want)
		}
	}
}

func TestConnectionsHaveAQuota(t *testing.T) {
	s := open(t, func(o *httpapi.Options) { o.Limits.Conns, o.Limits.ConnsPer = 3, 2 })
	dial := func(from string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		s.must(err)
		t.Cleanup(func() { c.Close() })
		_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") // it may be closed already
		_, err = bufio.NewReader(c).ReadString('\n')
		return c, err
	}
	first, err := dial("127.0.0.2")
	s.must(err)
	_, err = dial("127.0.0.2")
	s.must(err)
	if _, err := dial("127.0.0.2"); err == nil {
		t.Error("a third connection of one address was served")
	}
	_, err = dial("127.0.0.3")
	s.must(err)
	if _, err := dial("127.0.0.4"); err == nil {
		t.Error("a fourth connection was served")
	}
	first.Close()
	for {
		if _, err := dial("127.0.0.4"); err == nil {
			return // the place of the first is free
		}
		if t.Context().Err() != nil {
			t.Fatal("the place of a closed connection stays taken")
		}
	}
}

// TestTenThousandStreams opens them from many addresses, at once: those beyond the quota
// are told so; health, orders and reads are answered meanwhile, and those that are in
// are told what happens. Memory is that of the quota.
func TestTenThousandStreams(t *testing.T) {
	const all, in = 10_000, 2048
	s := open(t, func(o *httpapi.Options) {
		o.Limits = httpapi.Limits{} // the defaults
	})
	o := s.order("web-1")
	before := memory()
	feeds := make([]*feed, all)
	var wg sync.WaitGroup
	for worker := range 100 { // each from an address of its own: 100 × 64 is more than the quota
		wg.Go(func() { // and 10 of a network: 10 × 256 is more, too
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+worker%10), byte(worker))}}
			for i := worker; i < all; i += 100 {
				c, err := d.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
				if err != nil {
					t.Error(err)
					return
				}
				feeds[i] = s.ask(c, "web-1", "")
			}
		})
	}
	for range 5 {
		s.answers(t)
	}
	wg.Wait()
	s.answers(t)
	counts := map[int]int{}
	for _, f := range feeds {
		if f != nil {
			counts[f.status]++
		}
	}
	grown := memory() - before
	t.Logf("answers: %v; memory grown by %d MiB, %d KiB a stream that is open", counts, grown>>20, grown>>10/in)
	if counts[200] != in || counts[503]+counts[429] != all-in {
		t.Errorf("answers: %v", counts)
	}
	if grown > in*(200<<10) {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	s.settle(o.Payment.Key, o.Payment.Asked)
	for _, f := range feeds {
		if f.status == 200 {
			for !strings.Contains(f.until(t, "data: "), `"status":"running"`) {
			}
		}
		f.Close()
	}
	s.gauge("sandglass_live_streams 0")
}

// answers sees that others are served.
func (s *shop) answers(t *testing.T) {
	t.Helper()
	if got := s.send("GET", "/healthz", ""); got.status != 200 {
		t.Errorf("/healthz: %d %s", got.status, got.body)
	}
	if got := s.send("POST", "/v1/orders", `{"plan":"small","time_ms":3600000}`); got.status != 201 {
		t.Errorf("an order: %d %s", got.status, got.body)
	}
	if got := s.send(http.MethodGet, "/v1/resources/web-1", ""); got.status != 200 {
		t.Errorf("a resource: %d %s", got.status, got.body)
	}
}

// memory returns what is in use, stacks included.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
