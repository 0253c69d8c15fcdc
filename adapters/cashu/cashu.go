// Package cashu takes tokens of digital cash for what is bought in a request: the mint of a token is asked to
// pay, with it, an invoice of ours, so that the money comes as every other payment does. Nothing of a token is
// kept but a hash.
//
// What is about to happen is durable before it does: the invoice's record says which quote of which mint pays
// it, and for which token. Whoever sends a token again, after whatever came between, is told by the record and
// the quote: what is paid is waited for, what is being paid too, and what is not is the payer's still. A mint
// takes a token once, so that none pays twice.
package cashu

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sandglass/adapters/cashu/mint"
	"sandglass/adapters/cashu/token"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
)

// Requests are the records of invoices.
type Requests interface {
	Find(key payment.Key) (*request.Record, bool)
	OfToken(hash [32]byte) []*request.Record
	Keep(ctx context.Context, r *request.Record) error
}

// Options are what a till works with.
type Options struct {
	Mints    []string // whose tokens are taken, by their URLs: see [mint.CheckURL]
	Private  bool     // they may be at addresses that are not public
	Requests Requests
	Payment  func(context.Context, payment.Key) (payment.State, error)
	Now      func() instant.Time
	Wait     time.Duration // for a mint to pay; 0 is 20 s
}

// Bounds of what goes on at once.
const (
	maxMelts    = 24                     // at one mint: fewer than its connections, so that it can be asked beside them
	keysetAge   = 10 * time.Minute       // after which keysets are read anew
	keysetPause = 250 * time.Millisecond // between two times that they are, whatever tokens name
	pollEvery   = time.Second
	lasting     = 30 // seconds that a quote has to last yet
)

// Till takes tokens.
type Till struct {
	Options
	mints  []*account
	locks  locks
	ctx    context.Context
	cancel context.CancelFunc
}

// account is what is known of a mint.
type account struct {
	url string
	*mint.Client
	melts chan struct{} // of those that go on
	ctx   context.Context

	asking sync.Mutex // held while keysets are read; guards what follows
	asked  time.Time  // when that ended
	failed error      // of that

	mu      sync.Mutex // guards what follows
	keysets []mint.Keyset
	read    time.Time
	sat     int64 // of the last quote, 0 before the first
	reserve int64 // that it asked for
}

// delisted stands for mints whose tokens were taken once: what is paid by one stays bought.
var delisted account

// New returns a till, which has to run.
func New(o Options) *Till {
	t := &Till{Options: o, locks: locks{held: map[[32]byte]*lock{}}}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if t.Wait == 0 {
		t.Wait = 20 * time.Second
	}
	for _, url := range o.Mints {
		t.mints = append(t.mints, &account{
			url: url, Client: mint.New(url, o.Private), melts: make(chan struct{}, maxMelts), ctx: t.ctx,
		})
	}
	return t
}

// Run reads what the mints charge, so that it can be told before, until ctx ends. Then it breaks off what is
// asked of mints, waits for that, and returns nil.
func (t *Till) Run(ctx context.Context) error {
	tick := time.NewTicker(keysetAge)
	defer tick.Stop()
	defer context.AfterFunc(ctx, t.cancel)()
	for ctx.Err() == nil {
		var wg sync.WaitGroup
		for _, a := range t.mints {
			wg.Go(func() { _, _ = a.sets("") }) // who pays by it hears what is wrong
		}
		wg.Wait()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	t.cancel()
	for _, a := range t.mints {
		for range maxMelts {
			a.melts <- struct{}{} // none begins any more
		}
		a.Close()
	}
	return nil
}

// Refusal says why a token does not pay, or not yet, for whoever sent it.
type Refusal struct {
	Status     int // of HTTP
	Code, Why  string
	RetryAfter time.Duration
	Cause      error // for the log
}

// Error implements error.
func (r *Refusal) Error() string { return r.Why }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

// Refused returns it as an answer to a request.
func (r *Refusal) Refused() (status int, code, why string, retry time.Duration) {
	return r.Status, r.Code, r.Why, r.RetryAfter
}

const (
	notUsed = ": your token was not used"
	again   = ": send the same request with the same token again, and pay in no other way meanwhile"
)

func refused(code, format string, args ...any) error {
	return &Refusal{Status: http.StatusBadRequest, Code: code, Why: fmt.Sprintf(format, args...) + notUsed}
}

// unknown says that what becomes of a token is to be seen.
func unknown(cause error, format string, args ...any) error {
	return &Refusal{http.StatusServiceUnavailable, "not_known_yet", fmt.Sprintf(format, args...) + again, 5 * time.Second, cause}
}

// unavailable says that a token was not used since its mint could not be asked.
func unavailable(cause error, format string, args ...any) error {
	why := fmt.Sprintf(format, args...) + notUsed
	return &Refusal{http.StatusServiceUnavailable, "mint_unavailable", why, 10 * time.Second, cause}
}

// Asks returns what a token is asked to be that buys an amount: as NUT-18 writes it, in satoshi with the fees as
// far as they are known, and of which mints.
func (t *Till) Asks(amount money.Msat) (text string, sat int64, mints []string) {
	for _, a := range t.mints {
		sat = max(sat, a.asks(sats(amount)))
	}
	return token.Asked{Amount: sat, Unit: "sat", Mints: t.Mints}.Text(), sat, t.Mints
}

// sats returns an amount in whole satoshi, which is at least that.
func sats(m money.Msat) int64 { return (int64(m) + 999) / 1000 }

// asks returns what a token is asked to be worth that pays so many satoshi: in as few proofs as there can be.
func (a *account) asks(sat int64) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ppk int64
	for _, k := range a.keysets {
		if k.Active && k.Unit == "sat" {
			ppk = max(ppk, k.Fee)
		}
	}
	all := sat + a.reserves(sat)
	return all + (int64(bits.Len64(uint64(all)))*ppk+999)/1000
}

// reserves returns what the mint may keep for the way of so many satoshi: in proportion to what it asked for
// last, and 2 % before it was asked. The caller holds mu.
func (a *account) reserves(sat int64) int64 {
	switch {
	case a.sat == 0:
		return max(2, (sat+49)/50)
	case a.reserve >= a.sat:
		return max(a.reserve, sat)
	}
	hi, lo := bits.Mul64(uint64(a.reserve), 10_000)
	part, _ := bits.Div64(hi, lo, uint64(a.sat)) // of 10,000
	ppt := int64(part) + 1
	return sat/10_000*ppt + (sat%10_000*ppt+9_999)/10_000
}

// guess is reserves, for who does not hold mu.
func (a *account) guess(sat int64) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reserves(sat)
}

func (a *account) quoted(q *mint.Quote) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sat, a.reserve = q.Amount, q.Reserve
}

// sets returns the mint's keysets: as they were read last, if that is not long ago and they have the one that
// is wanted. They are read once at a time, for all who wait for that: a token names what it likes.
func (a *account) sets(want string) ([]mint.Keyset, error) {
	began := time.Now()
	a.mu.Lock()
	known, fresh := a.keysets, time.Since(a.read) < keysetAge/2
	a.mu.Unlock()
	if _, ok := resolve(known, want); fresh && ok {
		return known, nil
	}
	a.asking.Lock()
	defer a.asking.Unlock()
	if a.asked.Before(began) {
		select {
		case <-time.After(time.Until(a.asked.Add(keysetPause))):
		case <-a.ctx.Done():
		}
		sets, err := a.Keysets(a.ctx)
		a.asked, a.failed = time.Now(), err
		if err == nil {
			a.mu.Lock()
			a.keysets, a.read = sets, a.asked
			a.mu.Unlock()
		}
	}
	if a.failed != nil {
		return nil, a.failed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.keysets, nil
}

// resolve returns the one keyset that an id, or the beginning of one of the second version, names.
func resolve(sets []mint.Keyset, id string) (found mint.Keyset, ok bool) {
	const short = 16 // hexadecimal digits
	for _, k := range sets {
		if k.ID == id {
			return k, true
		}
		if len(id) == short && strings.HasPrefix(id, "01") && strings.HasPrefix(strings.ToLower(k.ID), id) {
			if ok {
				return found, false // two of them begin so
			}
			found, ok = k, true
		}
	}
	return found, ok || id == ""
}

// Hash returns what names a token, or why it is none that pays here.
func (t *Till) Hash(text string) ([32]byte, error) {
	tok, _, err := t.read(text)
	if err != nil {
		return [32]byte{}, err
	}
	return tok.Hash(), nil
}

// Sent reports whether an invoice is known that the token of that name was to pay.
func (t *Till) Sent(hash [32]byte) bool { return len(t.Requests.OfToken(hash)) > 0 }

// read reads a token, and finds its mint.
func (t *Till) read(text string) (*token.Token, *account, error) {
	tok, err := token.Read(text)
	if bad, ok := errors.AsType[*token.Error](err); ok {
		return nil, nil, refused("bad_token", "%s", bad.Why)
	}
	if err != nil {
		return nil, nil, err
	}
	at := slices.IndexFunc(t.mints, func(a *account) bool { return a.url == tok.Mint })
	if at < 0 && len(t.Requests.OfToken(tok.Hash())) > 0 {
		return tok, &delisted, nil
	}
	if at < 0 {
		return nil, nil, refused("wrong_mint", "the token is of the mint %.200q: want one of %s", tok.Mint, strings.Join(t.Mints, ", "))
	}
	if tok.Unit != "sat" {
		return nil, nil, refused("wrong_unit", "the token is in %.20q: want one in sat", tok.Unit)
	}
	return tok, t.mints[at], nil
}
