package browser_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/testutil/browser"
	"sandglass/testutil/clients"
	"sandglass/testutil/seller"
)

// buyer is somebody in front of a page, who has bob's wallet in his hand.
type buyer struct {
	*tab
	*seller.Seller
	axe string
	id  string // of what he ordered
	key string // which he was shown
}

// TestBuying orders, pays, runs out, tops up, pauses and resumes: at three sizes, with JavaScript and without.
func TestBuying(t *testing.T) {
	b := start(t)
	axe, err := clients.New(t).Axe()
	if err != nil {
		t.Fatal(err)
	}
	s := seller.Open(t)
	s.Publish(small)
	for _, look := range []browser.Look{browser.Desktop, browser.Phone, browser.Narrow} {
		for _, off := range []bool{false, true} {
			look := look
			look.NoScript = off
			t.Run(look.String(), func(t *testing.T) {
				t.Parallel()
				p := &buyer{tab: open(t, b, look), Seller: s, axe: axe}
				// Seconds, of which each step of six pages at once takes some: on a slow machine all, and then more are bought.
				for sat := 28; ; sat *= 2 {
					if p.buy(s.URL, strconv.Itoa(sat)); p.runsOut() {
						break
					}
					if sat > 200 {
						t.Fatal("the page never says that the time runs low")
					}
				}
				p.topsUp()
				p.holds()
				p.receives()
			})
		}
	}
}

// buy orders so many sat of small at the shop, and pays.
func (p *buyer) buy(url, sat string) {
	p.t.Helper()
	p.goes(url + "/")
	p.says(small.Title)
	p.well("shop")
	p.must(p.PressIn(small.Title, "Order"))
	p.says("For how long?")
	p.asks(sat)
	p.well("order")
	p.press("Order and pay")
	p.says("Your key: keep it now")
	p.well("ordered")
	p.learn()
	key := `document.getElementById("holder-key")`
	p.must(p.Page.Until("all of the key can be seen", key+`.scrollHeight <= `+key+`.clientHeight`))
	if p.look.NoScript {
		p.press("Go on to the payment")
		p.must(p.SaysNot("Your key: keep it now"))
	}
	p.pays("first", over)
}

// What the page says of a resource whose time is over.
const over = "Stopped: the time is used up"

// learn notes what is told to whom ordered, once.
func (p *buyer) learn() {
	p.t.Helper()
	var err error
	p.key, err = browser.Eval[string](p.Page, `document.getElementById("holder-key").innerText.trim()`)
	p.must(err)
	p.id, err = browser.Eval[string](p.Page, `document.getElementById("resource").dataset.id`)
	p.must(err)
	url := p.Page.URL()
	if !p.look.NoScript && !strings.HasSuffix(url, "/r/"+p.id+"#key="+p.key) && !strings.Contains(url, "?pay=") {
		p.t.Errorf("it was ordered by %s, and the page is at %s", p.key, url)
	}
}

// asks fills in how much is to be paid.
func (p *buyer) asks(sat string) {
	p.t.Helper()
	p.fill("Or your own:", sat)
	p.must(p.Choose("Unit", "sat"))
	if !p.look.NoScript {
		p.says("≈ ") // how long that is
	}
}

// pays has bob pay what he reads in the code on the page, which says so, or what else it may say by then.
func (p *buyer) pays(name string, orElse ...string) {
	p.t.Helper()
	p.says("Pay with Lightning")
	var codes []string
	// Without JavaScript the page goes on by itself, also while its picture is taken.
	p.Daemon.Until(p.t.Context(), "there is one code to read", func() (err error) {
		if codes, err = browser.ReadQR(p.t.Context(), p.shot(name+" code")); err == nil && len(codes) != 1 {
			err = fmt.Errorf("the codes on the page say %q", codes)
		}
		return err
	})
	invoice, ok := strings.CutPrefix(strings.ToLower(codes[0]), "lightning:")
	if !ok {
		p.t.Fatalf("the code says %s", codes[0])
	}
	p.Pay(invoice)
	begin := time.Now()
	p.reads(append(orElse, "Paid. Thank you!")...)
	p.t.Logf("%s: it says so %s after bob had paid", name, time.Since(begin).Round(time.Millisecond))
	p.shot(name + " paid")
}

// runsOut watches how the time ends, and reports whether he was there before it had.
func (p *buyer) runsOut() bool {
	p.t.Helper()
	if p.reads("Running", over) == over || p.sees("Running low", over) == over {
		p.t.Log("it was over before he looked")
		return false
	}
	p.shot("low")
	p.sees(over)
	p.well("stopped")
	p.Becomes(p.id, "suspended")
	return true
}

// sees waits until the page says one of these texts, and returns it. Without JavaScript it is he who loads it anew.
func (p *buyer) sees(texts ...string) string { return p.until(p.look.NoScript, texts) }

// reads is sees of a page that goes on by itself.
func (p *buyer) reads(texts ...string) string { return p.until(false, texts) }

func (p *buyer) until(anew bool, texts []string) (text string) {
	p.t.Helper()
	p.Daemon.Until(p.t.Context(), "the page says "+strings.Join(texts, " or "), func() error {
		if anew {
			if err := p.Go(p.Page.URL()); err != nil {
				return err
			}
		}
		said := p.Text()
		for _, text = range texts {
			if strings.Contains(said, text) {
				return nil
			}
		}
		return errors.New(said)
	})
	return text
}

// topsUp pays for an hour.
func (p *buyer) topsUp() {
	p.t.Helper()
	p.asks("3600")
	p.press("Show the invoice")
	p.pays("topped up")
	p.says("Running")
	p.well("running")
	p.receipt()
	r := p.Becomes(p.id, "running")
	if r.Remaining < 59*instant.Minute {
		p.t.Errorf("%s are left of an hour", r.Remaining.Std())
	}
}

// receipt looks at what was just paid, and goes back.
func (p *buyer) receipt() {
	p.t.Helper()
	back := p.Page.URL()
	p.press("Receipt")
	p.says("At the price of")
	p.says("sat")
	p.well("receipt")
	p.goes(back)
	p.says("Running")
}

// holds does what the holder alone can.
func (p *buyer) holds() {
	p.t.Helper()
	for _, do := range []struct{ press, says, status string }{
		{"Pause", "It is paused: its time stands still.", "paused"},
		{"Resume", "It runs again.", "running"},
	} {
		if !strings.Contains(p.Text(), do.press) { // it is open where somebody has just paid
			p.press("If it is yours")
		}
		if p.look.NoScript {
			p.fill("Your key", p.key)
		}
		p.press(do.press)
		p.says(do.says)
		p.Becomes(p.id, do.status)
		p.well(do.status)
	}
}

// receives looks at the receipt of what he paid last, in both languages.
func (p *buyer) receives() {
	p.t.Helper()
	lots := p.Becomes(p.id, "running").Lots
	p.goes(p.Seller.URL + "/p/" + lots[len(lots)-1].Payment + "?resource=" + p.id)
	p.says("3 600 sat")
	p.says("1 hour")
	p.well("receipt")
	p.press("Deutsch")
	p.says("Quittung")
	p.says("1 Stunde")
	p.well("receipt in German")
}

// well is that of tab. Without JavaScript a page goes on by itself, which axe-core does not bear.
func (p *buyer) well(name string) {
	p.t.Helper()
	if !p.look.NoScript {
		p.tab.well(p.axe, name)
		return
	}
	if over, err := p.Overflow(); err != nil || over > 0 {
		p.t.Errorf("%s, %s: it is %d px wider than the window, %v", p.look, name, over, err)
	}
	p.shot(name)
}
