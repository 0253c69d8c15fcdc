package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Page is a tab of a browser, whose methods are for one goroutine.
type Page struct {
	ctx   context.Context
	close context.CancelFunc
	still bool // its time is not that of the machine, since Pass

	mu         sync.Mutex
	complaints []string
	requests   []string // the URLs that it asked for
}

// Close closes the tab, and forgets what it kept.
func (p *Page) Close() { p.close() }

// step bounds one call of the browser.
func (p *Page) step() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(p.ctx, Patience, fmt.Errorf("browser: not done after %s", Patience))
}

func call[P, R any](p *Page, c cdp.Command[P, R], params P) error {
	ctx, cancel := p.step()
	defer cancel()
	_, err := chromedp.Call(ctx, c, params)
	return err
}

// Go goes to a URL, as by the address bar, and returns when the page is there with all that it loads.
func (p *Page) Go(url string) error {
	ctx, cancel := p.step()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		return fmt.Errorf("going to %s: %w", url, err)
	}
	return nil
}

// Eval evaluates an expression on the page, which JavaScript that is off does not hinder, into a T.
func Eval[T any](p *Page, expression string) (T, error) {
	ctx, cancel := p.step()
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// Await evaluates an expression whose value is a promise.
func Await[T any](p *Page, expression string) (T, error) {
	ctx, cancel := p.step()
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// tick is how often what is waited for is looked at.
const tick = 20 * time.Millisecond

// Until waits until an expression is true, whatever page is there by then.
func (p *Page) Until(what, expression string) error {
	ctx, cancel := p.step()
	defer cancel()
	again := time.NewTicker(tick)
	defer again.Stop()
	var last error // that is not of the end of ctx
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if ok {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited until %s: %w: %v; the page at %s says:\n%s",
				what, context.Cause(ctx), last, p.URL(), p.Text())
		case <-again.C: // the page may just be another
			p.moment()
		}
	}
}

// Says waits until a text can be read on the page, whatever its case and its white space are.
func (p *Page) Says(text string) error {
	return p.Until("it says "+text, fmt.Sprintf("(%s).includes(%s)", visible, quote(squash(text))))
}

// SaysNot waits until a text can't be read on the page.
func (p *Page) SaysNot(text string) error {
	return p.Until("it does not say "+text, fmt.Sprintf("!(%s).includes(%s)", visible, quote(squash(text))))
}

// visible is what can be read, as [squash] has it.
const visible = `(document.body?.innerText ?? "").toLowerCase().replace(/\s+/g, " ")`

func squash(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

func quote(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values
	}
	return string(text)
}

// Text returns what can be read on the page.
func (p *Page) Text() string {
	text, err := Eval[string](p, `document.body?.innerText ?? ""`)
	if err != nil {
		return err.Error()
	}
	return text
}

// URL returns where the page is, with its fragment.
func (p *Page) URL() string {
	url, err := Eval[string](p, "location.href")
	if err != nil {
		return err.Error()
	}
	return url
}

//go:embed find.js
var find string

// place is the middle of something on the page.
type place struct {
	X, Y float64
	Why  string // it is not there
}

// locate waits until something can be seen and pressed, and returns where it is. near is a text that is in
// the same card, if there are several.
func (p *Page) locate(what, name, near string) (at place, err error) {
	ctx, cancel := p.step()
	defer cancel()
	again := time.NewTicker(tick)
	defer again.Stop()
	where := fmt.Sprintf("%s(%s, %s, %s)", strings.TrimSpace(find), quote(what), quote(name), quote(near))
	var why error // it was not there before ctx ended
	for {
		at, err = chromedp.Run(ctx, chromedp.Evaluate[place](where))
		if err == nil && at.Why == "" {
			return at, nil
		}
		if ctx.Err() == nil {
			why = errors.Join(err, errors.New(at.Why))
		}
		select {
		case <-ctx.Done():
			return at, fmt.Errorf("no %s called %q: %w: %v; the page at %s says:\n%s",
				what, name, context.Cause(ctx), why, p.URL(), p.Text())
		case <-again.C:
			p.moment()
		}
	}
}

// Press presses the button, link or choice that has a name, as soon as it is there: what is written on
// it, or what a screen reader says. The name is a regular expression for the whole of it.
func (p *Page) Press(name string) error { return p.PressIn("", name) }

// PressIn presses what has a name in the item of a list that says something.
func (p *Page) PressIn(item, name string) error {
	at, err := p.locate("control", name, item)
	if err != nil {
		return err
	}
	return p.click(at)
}

func (p *Page) click(at place) error {
	mouse := input.DispatchMouseEventParams{X: at.X, Y: at.Y, Button: input.MouseButtonLeft, ClickCount: 1}
	for _, kind := range []input.DispatchMouseEventType{
		input.DispatchMouseEventTypeMouseMoved, input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased,
	} {
		mouse.Type = kind
		if err := call(p, input.DispatchMouseEvent, mouse); err != nil {
			return err
		}
	}
	return nil
}

// Fill types a text into the field that has a name, in place of what is there.
func (p *Page) Fill(name, text string) error {
	at, err := p.locate("field", name, "")
	if err != nil {
		return err
	}
	if err := p.click(at); err != nil {
		return err
	}
	if err := Do(p, `document.activeElement.select?.()`); err != nil {
		return err
	}
	return call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// Choose chooses an option of the list that has a name, by what is written on it.
func (p *Page) Choose(name, option string) error {
	at, err := p.locate("field", name, "")
	if err != nil {
		return err
	}
	return Do(p, fmt.Sprintf(`((list) => {
		list.value = [...list.options].find((o) => o.text === %s).value;
		list.dispatchEvent(new Event("change", {bubbles: true}));
	})(document.elementFromPoint(%f, %f))`, quote(option), at.X, at.Y))
}

// Do evaluates an expression for what it does.
func Do(p *Page, expression string) error {
	_, err := Eval[bool](p, "Boolean("+expression+") || true")
	return err
}

// Keys presses keys, one after the other, such as "\t" and "\r".
func (p *Page) Keys(keys string) error {
	ctx, cancel := p.step()
	defer cancel()
	return chromedp.Do(ctx, chromedp.KeyEvent(keys))
}

// Freeze has the page stand still, as one that lies in the background of a phone, or go on.
func (p *Page) Freeze(still bool) error {
	state := page.SetWebLifecycleStateStateActive
	if still {
		state = page.SetWebLifecycleStateStateFrozen
	}
	return call(p, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state})
}

// Shot takes a picture of the whole page, as a PNG.
func (p *Page) Shot() ([]byte, error) {
	size, err := Eval[struct{ W, H float64 }](p, `({W: document.documentElement.clientWidth,
		H: Math.max(document.documentElement.scrollHeight, document.documentElement.clientHeight)})`)
	if err != nil {
		return nil, err
	}
	ctx, cancel := p.step()
	defer cancel()
	beyond := true
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: &beyond, Clip: &page.Viewport{Width: size.W, Height: size.H, Scale: 1},
	})
	return shot.Data, err
}

// Overflow returns by how many CSS pixels the page is wider than its window.
func (p *Page) Overflow() (int, error) {
	return Eval[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
}
