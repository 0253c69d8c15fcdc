package purchase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource/name"
)

// run buys: what is not begun is asked for, what is not paid is paid, and what is paid is got.
func (b *buying) run(ctx context.Context) (err error) {
	f := &file{}
	if b.file == "" {
		if b.file = unfinished(b.url, &b.request); b.file != "" {
			b.tell("going on with %s, which has this purchase and is not finished: for another one name a file by --credential", b.file)
		}
	}
	if b.file != "" {
		if f, err = openFile(b.file); err != nil {
			return err
		}
		defer f.close()
		if err := b.fits(f); err != nil {
			return err
		}
	}
	cl, err := client.New(b.url, "")
	if err != nil {
		return cli.Usage("%q is no URL such as https://pay.example.org", b.url)
	}
	begin, err := b.begins(ctx, cl, f)
	switch {
	case err != nil:
		return err
	case begin && b.pay == "":
		return cli.Usage("want --pay-with and the command of your wallet that pays")
	case begin && f.lock == nil:
		defer f.close() // which this opens
		fallthrough
	case begin:
		err = b.ask(ctx, cl, f)
	}
	if err == nil {
		err = b.settle(ctx, cl, f)
	}
	if err != nil {
		return err
	}
	return b.collect(ctx, cl, f)
}

// same reports whether two requests ask for the same.
func same(a, b *wire.BuyRequest) bool {
	x, _ := json.Marshal(a) // plain values, names in order
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// fits returns why what is asked for has nothing to do with what a file holds; what is not said is as it is there.
func (b *buying) fits(f *file) error {
	last := f.Request
	if f.Open != nil {
		last = &f.Open.Request
	}
	switch {
	case f.empty() && b.url == "":
		return cli.Usage("%s holds no purchase yet: want URL and PLAN", f.path)
	case f.empty():
		return nil
	case b.url != "" && (b.url != f.URL || !same(&b.request, last)):
		return fmt.Errorf("%s has another purchase, at %s: name another file, or extend what it has: "+
			"sandglass buy --credential %s --time 1h", f.path, f.URL, f.path)
	case b.url != "":
		return nil
	}
	b.url = f.URL
	time, amount := b.request.Time, b.request.Amount
	b.request = *last
	if time != 0 || amount != 0 {
		b.request.Time, b.request.Amount = time, amount
		if f.Open == nil {
			b.request = wire.BuyRequest{Resource: f.Resource, Time: time, Amount: amount}
			b.extends = true
		}
	}
	return nil
}

// begins reports whether something is to be asked for: not where it is there or can be paid still.
func (b *buying) begins(ctx context.Context, cl *client.Client, f *file) (bool, error) {
	switch {
	case f.Open == nil:
		return f.Request == nil || b.extends, nil
	case f.Open.Preimage == "" && b.preimage == "":
		lapsed, err := b.lapsed(ctx, cl, f)
		if lapsed {
			b.tell("what was begun in %s was not paid in time, and no money was taken for it", f.path)
		}
		if lapsed || err != nil {
			return lapsed, err
		}
	}
	if !same(&b.request, &f.Open.Request) {
		return false, fmt.Errorf("%s has a purchase of %s that is not finished: finish it first, by --credential %s without "+
			"--time and --amount", f.path, show.Amount(f.Open.Amount), f.path)
	}
	return false, nil
}

// lapsed reports whether nobody can pay what was begun any more, and nobody has: what a wallet had accepted by its
// expiry may come a while later.
func (b *buying) lapsed(ctx context.Context, cl *client.Client, f *file) (bool, error) {
	over := f.Open.ExpiresAt.Add(request.Settling) < instant.Of(time.Now())
	p, err := cl.PaymentOf(ctx, f.Resource, f.Open.Payment)
	if refused, ok := errors.AsType[*client.Problem](err); ok && refused.Status == 404 {
		return over, nil
	}
	return p.Status == "canceled" || p.Status == "expired" && over, err
}

// ask asks for what is to be bought, and keeps what is to be paid for it.
func (b *buying) ask(ctx context.Context, cl *client.Client, f *file) error {
	credential := ""
	if f.HolderKey != "" {
		credential = f.Authorization
	}
	_, err := cl.Buy(ctx, b.request, credential)
	due, ok := errors.AsType[*client.Due](err)
	switch id := ""; {
	case err == nil:
		return fmt.Errorf("%s gives it without money: it is no daemon that sells", b.url)
	case !ok:
		return err
	default:
		if id = due.Payment.Resource; !name.Is(id) || b.request.Resource != "" && id != b.request.Resource {
			return fmt.Errorf("what is to be paid is for %.70q, which was not asked for", id)
		}
	}
	if err := b.checkDue(due); err != nil {
		return err
	}
	p := &due.Payment
	if f.lock == nil {
		made, err := openFile(p.Resource + suffix)
		if err != nil {
			return err
		}
		if *f = *made; !f.empty() {
			return fmt.Errorf("%s is there already: name a file by --credential; alone it extends what it has", f.path)
		}
	}
	f.URL, f.Resource = b.url, p.Resource
	f.Open = &open{
		Request: b.request, Token: due.Token, Payment: p.Key, Invoice: p.Request, Amount: p.Asked, ExpiresAt: p.ExpiresAt,
	}
	return f.save()
}

// settle pays what is not paid, and keeps the proof of it.
func (b *buying) settle(ctx context.Context, cl *client.Client, f *file) error {
	o := f.Open
	if o == nil || o.Preimage != "" {
		return nil
	}
	hash, _ := payment.Key(o.Payment).Hash()
	switch {
	case b.preimage != "":
		if o.Preimage = preimageIn([]byte(b.preimage), hash); o.Preimage == "" {
			return fmt.Errorf("that is not the preimage of the payment %s: look for that one in your wallet", hash)
		}
	case b.pay == "":
		return cli.Usage("%s is not paid: want --pay-with and the command of your wallet, or --preimage", f.path)
	case b.most.Msat != 0 && o.Amount > b.most.Msat:
		return b.afford(o.Amount)
	default:
		b.tell("paying %s for %s; should this be broken off, the same command with --credential %s goes on",
			show.Amount(o.Amount), b.what(), f.path)
		var err error
		if o.Preimage, err = b.payFor(ctx, o); err != nil {
			return b.unpaid(ctx, cl, f, err)
		}
	}
	if err := f.save(); err != nil { // it is in the wallet too
		b.tell("%v", err)
	}
	return nil
}

// collect gets what was paid for, keeps that, and shows it.
func (b *buying) collect(ctx context.Context, cl *client.Client, f *file) error {
	again, credential := f.Request, f.Authorization
	if f.Open != nil {
		again, credential = &f.Open.Request, f.Open.credential()
	}
	o, err := get(ctx, cl, again, credential)
	if _, ok := errors.AsType[*client.Due](err); ok {
		return cli.Unfinished("%s asks to be paid again, and was not: it does not take the credential in %s as proof that %s is paid. "+
			"Ask its operator, and name the resource", b.url, f.path, f.Resource)
	}
	if err != nil && f.Open != nil {
		return cli.Unfinished("%s\nit is paid, and kept in %s: sandglass buy --credential %s goes on", cli.Message(err), f.path, f.path)
	}
	if err != nil {
		return err
	}
	if open := f.Open; open != nil {
		if f.Open = nil; f.Request == nil { // the first one holds the resource, and is proof for good
			f.Request, f.Authorization, f.HolderKey = &open.Request, credential, o.HolderKey
		}
		if err := f.save(); err != nil { // which says that it is to be got, and it can be
			b.tell("%v", err)
		}
	}
	if b.JSON {
		return show.JSON(b.Stdout, struct {
			wire.Order
			File string `json:"credential_file"`
		}{o, f.path})
	}
	page := o.Resource.Page
	if strings.HasPrefix(page, "/") {
		page = strings.TrimRight(b.url, "/") + page
	}
	return show.Facts(b.Stdout, "resource", o.Resource.ID, "host", o.Resource.Host, "status", o.Resource.Status,
		"left", show.Left(o.Resource.Remaining), "page", page, "holder key", f.HolderKey, "kept in", f.path)
}

// patience is how long it is tried to get what is paid for: a daemon may have to hear of it, or to be started again.
const patience = time.Minute

// get gets what was paid for. Whoever does not answer is asked again, as is who says that it can be.
func get(ctx context.Context, cl *client.Client, r *wire.BuyRequest, credential string) (o wire.Order, err error) {
	for end := time.Now().Add(patience); ; {
		o, err = cl.Buy(ctx, *r, credential)
		wait := time.Second
		if p, refused := errors.AsType[*client.Problem](err); refused {
			wait = p.RetryAfter
		}
		if err == nil || wait == 0 || time.Now().Add(wait).After(end) {
			return o, err
		}
		select {
		case <-ctx.Done():
			return o, err
		case <-time.After(wait):
		}
	}
}
