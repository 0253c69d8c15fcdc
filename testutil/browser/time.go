package browser

import (
	"errors"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/memory"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Pass lets time pass on the page as fast as the machine can, whatever it waits for. From then on its time
// stands still, but for Pass and as long as something is waited for, as by [Page.Until].
func (p *Page) Pass(d time.Duration) error {
	p.still = true
	ctx, cancel := p.step()
	defer cancel()
	over := make(chan struct{}, 1)
	if err := chromedp.Listen(ctx, func(event any) {
		if _, ok := event.(*emulation.EventVirtualTimeBudgetExpired); ok {
			over <- struct{}{}
		}
	}); err != nil {
		return err
	}
	budget := float64(d.Milliseconds())
	if err := call(p, emulation.SetVirtualTimePolicy, emulation.SetVirtualTimePolicyParams{
		Policy: emulation.VirtualTimePolicyAdvance, Budget: &budget,
	}); err != nil {
		return err
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return errors.New("browser: the time of the page has not passed")
	}
}

// moment lets the time of a page that stands still go on, no faster than that of the machine. No policy of the browser
// does: while a stream is open, "pause if network fetches are pending" lets no timer fire.
func (p *Page) moment() {
	if p.still {
		_ = p.Pass(tick) // whoever waits asks again
	}
}

// Size is how much a page has made of itself.
type Size struct {
	Nodes, Listeners int64
	Heap             float64 // in bytes
}

// Size returns how large the page is, once what it does not need is gone.
func (p *Page) Size() (s Size, err error) {
	ctx, cancel := p.step()
	defer cancel()
	if err := call(p, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
		return s, err
	}
	counters, err := chromedp.Call(ctx, memory.GetDOMCounters, cdp.Empty{})
	if err != nil {
		return s, err
	}
	heap, err := chromedp.Call(ctx, runtime.GetHeapUsage, cdp.Empty{})
	return Size{counters.Nodes, counters.JsEventListeners, heap.UsedSize}, err
}
