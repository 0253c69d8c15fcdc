package tour

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"sandglass/testutil/browser"
)

// openPage has somebody top it up who sees no more than its page in a browser: he pays what the code on it
// says. Where there is no browser, or nothing that reads codes, it says so.
func (t *Tour) openPage(ctx context.Context) (string, error) {
	_, none := browser.Find()
	if _, err := exec.LookPath("zbarimg"); none != nil || err != nil {
		return "left out: no browser is here, or nothing that reads codes (apt-get install chromium zbar-tools)", nil
	}
	b, err := browser.Start(ctx)
	if err != nil {
		return "", err
	}
	defer b.Close()
	p, err := b.Open(browser.Phone)
	if err != nil {
		return "", err
	}
	defer p.Close()
	r, err := t.funded(ctx, t.long.Resource.ID, t.paid+cost(topUp), func(ctx context.Context) error {
		return t.payByPage(ctx, p)
	})
	if err != nil {
		return "", err
	}
	if err := p.Says("Paid. Thank you!"); err != nil {
		return "", err
	}
	if unseen := p.Complaints(); len(unseen) > 0 {
		return "", fmt.Errorf("its console says %q", unseen)
	}
	return "1,800 sat by its code, " + left(r.Remaining) + " left", t.topped(&r, cost(topUp), topUp)
}

// payByPage asks the page of the long resource for an invoice, and has bob pay its code.
func (t *Tour) payByPage(ctx context.Context, p *browser.Page) error {
	for _, do := range []func() error{
		func() error { return p.Go(t.daemon.URL + "/r/" + t.long.Resource.ID) },
		func() error { return p.Fill("Or your own:", "1800") },
		func() error { return p.Choose("Unit", "sat") },
		func() error { return p.Press("Show the invoice") },
		func() error { return p.Says("Pay with Lightning") },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	picture, err := p.Shot()
	if err != nil {
		return err
	}
	codes, err := browser.ReadQR(ctx, picture)
	if err != nil {
		return err
	}
	invoice, ok := strings.CutPrefix(strings.ToLower(codes[0]), "lightning:")
	if !ok {
		return fmt.Errorf("the code says %s", codes[0])
	}
	return t.net.Pay(ctx, invoice)
}
