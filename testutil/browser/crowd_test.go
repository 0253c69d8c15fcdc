package browser_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/browser"
	"sandglass/testutil/seller"
)

// small costs 1 sat a second.
var small = wire.PublishRequest{
	Name: "small", Title: "A small server", Price: wire.Price{Msat: 1, Per: 1},
	Min: instant.Second, Max: 365 * instant.Day, Warn: &wire.Warn{Time: 15 * instant.Second}, Grace: instant.Day,
}

// visitor asks for something in the name of somebody at an address.
func visitor(ctx context.Context, url, address, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Forwarded-For", address)
	req.Header.Set("Accept", accept)
	return http.DefaultClient.Do(req)
}

// live opens the stream of a page, and calls heard with each event until ctx ends. It returns the status of
// the answer.
func live(ctx context.Context, wg *sync.WaitGroup, url, address string, heard func(event string)) (status int, err error) {
	resp, err := visitor(ctx, url, address, "text/event-stream")
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		if resp.Header.Get("Retry-After") == "" {
			err = fmt.Errorf("refused with %s, it says nothing of when to come again", resp.Status)
		}
		return resp.StatusCode, errors.Join(err, resp.Body.Close())
	}
	wg.Go(func() {
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if event, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				heard(event)
			}
		}
	})
	return resp.StatusCode, nil
}

// TestAThousandPages has a thousand people look at one resource: all see it paid. Of one address there are as
// many as it may have, and the next one is told to come again.
func TestAThousandPages(t *testing.T) {
	allowed(t)
	const pages = 1000
	s := seller.Open(t, "SANDGLASS_TRUST_PROXY=true")
	s.Publish(small)
	o := s.Order("small", "vm-1", instant.Hour)
	ctx, leave := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	t.Cleanup(func() { leave(); readers.Wait() })

	paid := make(chan struct{}, pages)
	var open errgroup.Group
	open.SetLimit(16)
	for i := range pages {
		address := fmt.Sprintf("10.%d.%d.7", i/200, i%200)
		open.Go(func() error {
			page, err := visitor(ctx, s.URL+"/r/vm-1", address, "text/html")
			if err != nil {
				return err
			}
			if err := page.Body.Close(); err != nil || page.StatusCode != http.StatusOK {
				return fmt.Errorf("its page answers %s, %v", page.Status, err)
			}
			told := sync.OnceFunc(func() { paid <- struct{}{} })
			status, err := live(ctx, &readers, s.URL+"/v1/resources/vm-1/live", address, func(event string) {
				if strings.Contains(event, `"status":"running"`) {
					told()
				}
			})
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("page %d: its stream answers %d", i, status)
			}
			return err
		})
	}
	s.Must(open.Wait())
	s.Pay(o.Payment.Request)
	begin := time.Now()
	bound := time.NewTimer(browser.Patience)
	defer bound.Stop()
	for i := range pages {
		select {
		case <-paid:
		case <-bound.C:
			t.Fatalf("%d of %d pages saw it paid\n%s", i, pages, s.Log())
		}
	}
	t.Logf("the last of %d pages saw it paid %s after bob had", pages, time.Since(begin))

	for i := range 65 {
		want := http.StatusOK
		if i == 64 {
			want = http.StatusTooManyRequests
		}
		status, err := live(ctx, &readers, s.URL+"/v1/resources/vm-1/live", "192.0.2.1", func(string) {})
		if err != nil || status != want {
			t.Errorf("stream %d of one address answers %d, %v", i+1, status, err)
		}
	}
}
