// Package browser drives a real Chromium, as somebody in front of it would: he reads what is
// written, presses what is labelled, and points a phone at a QR code.
//
// What he could not see counts as well, and is told by [Page.Complaints]: errors in the console, what
// the content security policy stopped, and every request to another origin.
package browser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// Patience bounds each step: it is far above what any takes, on a loaded machine too.
const Patience = time.Minute

// Find returns the path of the Chromium on this machine, or an error that says how to come by one.
func Find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no browser: apt-get install chromium")
}

// Browser is a Chromium that runs. It ends with the process that started it.
type Browser struct {
	ctx   context.Context
	close context.CancelFunc
}

// Start starts the browser of this machine, with a profile of its own that is gone when it is closed.
func Start(ctx context.Context) (*Browser, error) {
	path, err := Find()
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "browser") // it leaves a folder there, as it is killed
	if err != nil {
		return nil, err
	}
	all, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Env("TMPDIR="+temp),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
		// It looks for them in the network at its start, and there is none.
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter,OnDeviceModel"),
	)...)
	tab, cancel := chromedp.NewContext(all)
	b := &Browser{ctx: tab, close: func() { cancel(); stop(); _ = os.RemoveAll(temp) }}
	if err := chromedp.Do(tab); err != nil {
		b.close()
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return b, nil
}

// Close ends the browser.
func (b *Browser) Close() { b.close() }

// Look is what a page is looked at with.
type Look struct {
	Width, Height int64 // in CSS pixels; 1280 x 900 if there are none
	Touch         bool  // a phone
	Dark          bool
	NoScript      bool   // JavaScript is off
	Language      string // of Accept-Language; en if it is empty
}

// String names it, as a part of a file's name.
func (l Look) String() string {
	name := strconv.FormatInt(cmp.Or(l.Width, Desktop.Width), 10)
	if l.Dark {
		name += "-dark"
	}
	if l.NoScript {
		name += "-noscript"
	}
	if l.Language != "" {
		name += "-" + l.Language
	}
	return name
}

// Desktop, Phone and Narrow are the sizes that pages are made for.
var (
	Desktop = Look{Width: 1280, Height: 900}
	Phone   = Look{Width: 390, Height: 844, Touch: true}
	Narrow  = Look{Width: 320, Height: 640, Touch: true}
)

// Open opens an empty page as nobody who was here before: without storage, cache or cookies.
func (b *Browser) Open(l Look) (*Page, error) {
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	p := &Page{ctx: ctx, close: cancel}
	if err := errors.Join(chromedp.Do(ctx), chromedp.Listen(ctx, p.notice), p.enable(), p.Change(l)); err != nil {
		cancel()
		return nil, fmt.Errorf("opening a page: %w", err)
	}
	return p, nil
}

func (p *Page) enable() error {
	return errors.Join(call(p, network.Enable, network.EnableParams{}), call(p, log.Enable, cdp.Empty{}))
}

// Change looks at the page with something else from now on. What it was loaded with stays as it is.
func (p *Page) Change(l Look) error {
	scheme, scale := "light", 1.0
	if l.Dark {
		scheme = "dark"
	}
	if l.Touch {
		scale = 2
	}
	return errors.Join(
		call(p, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
			Headers: network.Headers{"Accept-Language": cmp.Or(l.Language, "en")},
		}),
		call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: cmp.Or(l.Width, Desktop.Width), Height: cmp.Or(l.Height, Desktop.Height),
			DeviceScaleFactor: scale, Mobile: l.Touch,
		}),
		call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}),
		call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.NoScript}),
	)
}
