package cashu

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"sandglass/adapters/cashu/mint"
	"sandglass/adapters/cashu/token"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
)

// Sale makes invoices of what is bought: for the least that is asked, which is the amount 0, or for more.
type Sale = func(ctx context.Context, amount money.Msat) (payment.Key, error)

// purchase is a token on its way to an invoice.
type purchase struct {
	*token.Token
	hash [32]byte
	of   resource.ID
	at   *account
	fee  int64 // in satoshi, for its proofs
}

// offer is a quote that a record has, or is to have.
type offer struct {
	*request.Record
	quote mint.Quote
}

// Pay has a token pay for a resource, once: it returns the payment that was made by it, now or before, whose
// credit may be to come. What sale returns as an error is returned, and the token was not used then. All else is
// a [*Refusal].
func (t *Till) Pay(ctx context.Context, text string, of resource.ID, sale Sale) (payment.Key, error) {
	tok, at, err := t.read(text)
	if err != nil {
		return "", err
	}
	p := &purchase{Token: tok, hash: tok.Hash(), of: of, at: at}
	ctx, cancel := context.WithTimeout(ctx, t.Wait)
	defer cancel()
	unlock, err := t.locks.take(ctx, p.hash)
	if err != nil {
		return "", unknown(nil, "the token is being paid with")
	}
	keeps := false // what goes on holds the lock
	defer func() {
		if !keeps {
			unlock()
		}
	}()
	key, open, err := t.before(ctx, p)
	if key != "" || err != nil {
		return key, err
	}
	if at == &delisted {
		return "", &Refusal{Status: http.StatusBadRequest, Code: "wrong_mint",
			Why: "tokens of that mint are taken no more, and nothing has arrived that this one paid"}
	}
	if open, err = t.offer(ctx, p, open, sale); err != nil {
		return "", err
	}
	select {
	case p.at.melts <- struct{}{}:
	default:
		return "", unavailable(nil, "too many tokens of that mint are being paid with")
	}
	keeps = true
	type outcome struct {
		payment.Key
		error
	}
	paid := make(chan outcome, 1)
	go func() {
		defer func() { <-p.at.melts }()
		defer unlock()
		key, err := t.melt(p, open)
		paid <- outcome{key, err}
	}()
	select {
	case is := <-paid:
		return is.Key, is.error
	case <-ctx.Done():
		return "", unknown(nil, "the mint is still paying")
	}
}

// before finds what became of a token that was sent before: the payment that it made, or a quote that can be
// paid by it yet. A mint that does not tell is asked again: nothing is done blindly.
func (t *Till) before(ctx context.Context, p *purchase) (payment.Key, *offer, error) {
	var open *offer
	for _, r := range slices.Backward(t.Requests.OfToken(p.hash)) {
		state, err := t.stateOf(ctx, p, r)
		if err != nil {
			return "", nil, err
		}
		switch {
		case state.State == mint.Paid && r.Resource != p.of:
			return "", nil, &Refusal{Status: http.StatusConflict, Code: "other_purchase", Why: "the token has paid already, " +
				"for another request: send the request that it was first sent with"}
		case state.State == mint.Paid:
			return r.Key, nil, nil
		case state.State == mint.Pending:
			return "", nil, unknown(nil, "the mint is still paying")
		case state.State == mint.Unpaid && r.Resource == p.of && open == nil && t.lasts(r, &state):
			open = &offer{r, state}
		}
	}
	return "", open, nil
}

// lasts reports whether a quote and its invoice can be paid for a while yet.
func (t *Till) lasts(r *request.Record, q *mint.Quote) bool {
	now := int64(t.Now()) / 1000
	_, asked := t.Requests.Find(r.Key)
	return asked && r.Released == 0 && int64(r.Expiry)/1000 > now+lasting && (q.Expiry == 0 || q.Expiry > now+lasting)
}

// stateOf returns how a quote stands that a token was to pay: by the log where that has the money, else by the
// mint. It has no state where the mint does not know it, or is not listed any more.
func (t *Till) stateOf(ctx context.Context, p *purchase, r *request.Record) (q mint.Quote, err error) {
	s, err := t.Payment(ctx, r.Key)
	if err != nil {
		return q, unknown(err, "whether the token has paid can't be seen now")
	}
	switch s.Status {
	case payment.StatusAccepted, payment.StatusSettled, payment.StatusCredited, payment.StatusUnallocated:
		return mint.Quote{State: mint.Paid}, nil
	}
	if r.Cash.Mint != p.at.url {
		return q, nil // whichever it names, they are the proofs of the mint that is asked now
	}
	q, err = p.at.Ask(ctx, r.Cash.Quote, sats(r.Amount))
	if _, no := errors.AsType[*mint.Refusal](err); no {
		return mint.Quote{}, nil
	}
	if err != nil {
		return q, unknown(err, "the mint does not say whether the token has paid")
	}
	if q.State == mint.Paid && t.Now() > r.Expiry.Add(request.Settling) {
		return q, &Refusal{Status: http.StatusBadGateway, Code: "mint_lies", Why: "the mint says that it paid by the token, " +
			"which has not arrived and will not: ask the mint, by its melt quote " + q.ID}
	}
	return q, nil
}

// offer returns a quote that the token can pay, and that is durable: the one that is open, or a new one.
func (t *Till) offer(ctx context.Context, p *purchase, open *offer, sale Sale) (*offer, error) {
	if err := t.charge(p); err != nil {
		return nil, err
	}
	if open != nil && open.quote.Amount+open.quote.Reserve+p.fee <= p.Sum() {
		return open, nil
	}
	o, err := t.round(ctx, p, sale)
	if err != nil {
		return nil, err
	}
	r := *o.Record
	r.Cash = payment.Cash{Mint: p.at.url, Quote: o.quote.ID, Token: p.hash}
	if err := t.Requests.Keep(ctx, &r); err != nil {
		return nil, unavailable(err, "what is bought can't be written now")
	}
	if kept, ok := t.Requests.Find(r.Key); !ok || kept.Cash != r.Cash { // the first stands
		return nil, unavailable(nil, "another token is to pay that invoice")
	}
	return &offer{&r, o.quote}, nil
}

// charge finds the keyset of each proof, and what all of them cost.
func (t *Till) charge(p *purchase) error {
	var ppk int64
	for i := range p.Proofs {
		sets, err := p.at.sets(p.Proofs[i].Keyset)
		if err != nil {
			return mintFailed(err)
		}
		k, ok := resolve(sets, p.Proofs[i].Keyset)
		if !ok {
			return refused("bad_token", "the mint has no keyset %.66q", p.Proofs[i].Keyset)
		}
		if k.Unit != "sat" {
			return refused("wrong_unit", "the token has a proof in %.20q: want sat", k.Unit)
		}
		p.Proofs[i].Keyset = k.ID
		ppk += k.Fee
	}
	p.fee = (ppk + 999) / 1000
	return nil
}

// mintFailed says that a mint could not be asked, or what it refuses, before the token was used.
func mintFailed(err error) error {
	if no, ok := errors.AsType[*mint.Refusal](err); ok {
		return refused("mint_refused", "the mint says: %s", no.Why)
	}
	return unavailable(err, "the mint does not answer")
}

// round finds the invoice for as much as the token can pay, at least for what is asked. What its mint keeps for
// the way is known once there is an invoice: where that does not fit, a second one does.
func (t *Till) round(ctx context.Context, p *purchase, sale Sale) (*offer, error) {
	least, err := t.invoice(ctx, 0, sale)
	if err != nil {
		return nil, err
	}
	asked, worth := sats(least.Amount), p.Sum()-p.fee
	if worth < asked {
		return nil, p.tooLittle(asked, 0)
	}
	r, err := t.upTo(ctx, p, least, worth-p.at.guess(worth), sale)
	if err != nil {
		return nil, err
	}
	r, q, err := t.quote(ctx, p, r, sale)
	if err != nil {
		return nil, err
	}
	sat := sats(r.Amount)
	over := worth - q.Reserve - sat
	switch {
	case worth-q.Reserve < asked:
		return nil, p.tooLittle(asked, q.Reserve)
	case over >= 0 && over <= 1+sat/200: // half a percent is not worth another invoice
		return &offer{r, q}, nil
	}
	next := worth - q.Reserve
	if over > 0 { // what is kept for more is more
		next = worth - p.at.guess(worth)
	}
	better, err := t.upTo(ctx, p, least, next, sale)
	if err == nil && better != r {
		var second mint.Quote
		if better, second, err = t.quote(ctx, p, better, sale); err == nil {
			if sats(better.Amount)+second.Reserve <= worth {
				return &offer{better, second}, nil
			}
			err = p.tooLittle(asked, second.Reserve)
		}
	}
	if over >= 0 {
		return &offer{r, q}, nil
	}
	return nil, err
}

// upTo returns an invoice for as much as that, or for the least. Where so much can't be bought, who sent about
// what was asked for pays the least: what is over is what the mint was thought to keep.
func (t *Till) upTo(ctx context.Context, p *purchase, least *request.Record, sat int64, sale Sale) (*request.Record, error) {
	asked := sats(least.Amount)
	if sat <= asked {
		return least, nil
	}
	r, err := t.invoice(ctx, money.Msat(sat*1000), sale)
	if err != nil && p.Sum() <= p.at.asks(asked)+2+asked/50 {
		return least, nil
	}
	return r, err
}

// invoice makes an invoice of whole satoshi: mints know no less, and do not agree on how to round it.
func (t *Till) invoice(ctx context.Context, amount money.Msat, sale Sale) (*request.Record, error) {
	key, err := sale(ctx, amount)
	if err != nil {
		return nil, err
	}
	r, ok := t.Requests.Find(key)
	switch {
	case !ok || amount > 0 && r.Amount != amount:
		return nil, unavailable(nil, "the invoice is not there any more")
	case r.Amount%1000 != 0:
		return t.invoice(ctx, money.Msat(sats(r.Amount)*1000), sale)
	}
	return r, nil
}

// quote asks what an invoice costs. A mint that had quoted it before, for a request that went wrong then, may
// refuse to do so again: then another invoice is made.
func (t *Till) quote(
	ctx context.Context, p *purchase, r *request.Record, sale Sale,
) (*request.Record, mint.Quote, error) {
	q, err := p.at.Quote(ctx, r.Invoice, sats(r.Amount))
	if _, no := errors.AsType[*mint.Refusal](err); no {
		other, failed := t.invoice(ctx, r.Amount, sale)
		if failed != nil {
			return nil, q, failed
		}
		r = other
		q, err = p.at.Quote(ctx, r.Invoice, sats(r.Amount))
	}
	if err != nil {
		return nil, q, mintFailed(err)
	}
	p.at.quoted(&q)
	return r, q, nil
}

func (p *purchase) tooLittle(asked, reserve int64) error {
	return refused("too_little", "the token is worth %d sat, of which the mint takes %d for its proofs and keeps %d for the way: "+
		"%d are asked, so send one of at least %d", p.Sum(), p.fee, reserve, asked, max(p.at.asks(asked), asked+reserve+p.fee))
}

// melt has the mint pay by the token, and returns the payment once it says that it has. A token that is refused
// may be paying at another daemon.
func (t *Till) melt(p *purchase, o *offer) (payment.Key, error) {
	state, err := p.at.Melt(t.ctx, o.quote.ID, p.Proofs)
	no, refuses := errors.AsType[*mint.Refusal](err)
	if refuses {
		no.Why = p.without(no.Why)
	}
	cause := err
	ctx, cancel := context.WithTimeout(t.ctx, t.Wait)
	defer cancel()
	for err != nil || state == mint.Pending {
		q, asking := p.at.Ask(ctx, o.quote.ID, o.quote.Amount)
		state = q.State
		if asking != nil {
			return "", unknown(errors.Join(cause, asking), "the mint does not say whether it has paid")
		}
		if state != mint.Pending {
			break
		}
		err = nil
		select {
		case <-ctx.Done():
			return "", unknown(cause, "the mint is still paying")
		case <-time.After(pollEvery):
		}
	}
	if state == mint.Paid {
		return o.Key, nil
	}
	if refuses {
		if key, _, other := t.before(ctx, p); key != "" || other != nil {
			return key, other
		}
	}
	switch {
	case cause != nil && !refuses: // it may be about to pay
		return "", unknown(cause, "the mint has not answered")
	case cause == nil || no.Code == mint.CodePaymentFailed:
		return "", &Refusal{http.StatusServiceUnavailable, "not_paid", "the mint found no way to pay" + notUsed +
			", and may do at another time", 30 * time.Second, cause}
	case no.Code == mint.CodeSpent:
		return "", refused("spent_token", "the mint says that the token, or a part of it, was spent before")
	}
	return "", refused("mint_refused", "the mint says: %s", no.Why)
}

// without returns what a mint says, unless it tells of the token's secrets.
func (p *purchase) without(why string) string {
	if slices.ContainsFunc(p.Proofs, func(one token.Proof) bool {
		return strings.Contains(why, one.Secret) || strings.Contains(why, one.C)
	}) {
		return "what it says would tell of the token"
	}
	return why
}
