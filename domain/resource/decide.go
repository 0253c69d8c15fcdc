package resource

import (
	"errors"
	"fmt"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource/config"
	"sandglass/domain/resource/uptime"
)

// Decide returns the events that c causes: none where they have happened already.
func Decide(s State, c Command) ([]Event, error) {
	d := deciding{s: s.Clone(), when: c.when()}
	if err := d.check(c); err != nil {
		return nil, err
	}
	// A clock that jumped back stands still until it has caught up.
	d.t = max(d.when.At, s.Last)
	var err error
	switch c := c.(type) {
	case Open:
		err = d.open(c.Order)
	case Accept:
		err = d.accept(c.Order)
	case Credit:
		err = d.credit(c)
	case Grant:
		err = d.grant(c)
	case Settle:
		d.settle()
		d.releaseAfterGrace(c)
	case Pause:
		err = d.pause()
	case Resume:
		err = d.resume()
	case Reverse:
		err = d.reverse(c)
	case Hold:
		d.settle()
		d.hold(c)
	case Report:
		err = d.report(c)
	case Reprice:
		err = d.reprice(c)
	case Place:
		err = d.place(c)
	case Configure:
		err = d.configure(c.Params)
	case Release:
		d.release(c.Reason)
	default:
		panic(fmt.Sprintf("resource: unknown command %T", c))
	}
	if err != nil {
		return nil, err
	}
	return d.out, nil
}

// deciding is a decision under way: the state after the events so far.
type deciding struct {
	s    State
	t    instant.Time
	when When
	out  []Event
}

func (d *deciding) emit(e Event) {
	d.out = append(d.out, e)
	d.s = Evolve(d.s, e)
}

func (d *deciding) now() At { return At{At: d.t} }

func (d *deciding) check(c Command) error {
	if d.s.Status == StatusNone && !opens(c) {
		return ErrNotOpened
	}
	if at := d.when.At; at < instant.Min || at > instant.Max {
		return fmt.Errorf("%w: %w", ErrInvalid, instant.ErrRange)
	}
	if d.when.MaxGap < 0 {
		return fmt.Errorf("%w: a negative gap", ErrInvalid)
	}
	return nil
}

// opens reports whether c can begin a resource.
func opens(c Command) bool {
	switch c := c.(type) {
	case Open, Accept:
		return true
	case Credit:
		return c.Order != nil
	}
	return false
}

// openBy opens a resource that is not, by the order that comes with its money.
func (d *deciding) openBy(o *Order) error {
	switch {
	case o == nil:
		return nil
	case d.s.Status == StatusNone:
		return d.open(*o)
	case !d.s.OpenedBy(o):
		return ErrOtherOrder
	}
	return nil
}

func (d *deciding) open(c Order) error {
	if d.s.Status != StatusNone {
		if d.s.Request == c.Request && d.s.Plan == c.Plan {
			return nil
		}
		return ErrExists
	}
	if err := c.Terms.Check(); err != nil {
		return invalid(err)
	}
	if c.Host != "" && !IsName(c.Host) {
		return badHost(c.Host)
	}
	d.emit(&Opened{At: d.now(), Plan: c.Plan, Terms: c.Terms, Enforcer: c.Enforcer, Holder: c.Holder, Request: c.Request})
	if c.Host != "" {
		d.emit(&Placed{At: d.now(), Host: c.Host})
	}
	return d.configure(c.Params)
}

func (d *deciding) configure(params config.Hash) error {
	if d.s.Status == StatusReleased {
		return ErrReleased
	}
	d.settle()
	e, err := d.s.Config.Change(params, d.t)
	if e != nil {
		d.emit(e)
	}
	return err
}

// accept lets what was never paid start for an order whose first payment is held.
func (d *deciding) accept(o Order) error {
	if err := d.openBy(&o); err != nil {
		return err
	}
	if d.s.Status == StatusReleased {
		return ErrReleased
	}
	if d.s.Status == StatusAwaiting && d.s.Terms.Hold {
		d.emit(&Starting{At: d.now(), Reason: ReasonAccepted})
	}
	return nil
}

// invalid says that err is one of the command, nil that it is none.
func invalid(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

func (d *deciding) credit(c Credit) error {
	if i := d.s.Find(c.Payment, false); i >= 0 {
		if l := d.s.Lots[i]; l.Amount+l.DebtPaid != c.Amount {
			return fmt.Errorf("%w: payment %s was credited with %s, not %s", ErrConflict, c.Payment, l.Amount+l.DebtPaid, c.Amount)
		}
		return nil // delivered before
	}
	if err := d.openBy(c.Order); err != nil {
		return err
	}
	if d.s.Status == StatusReleased {
		return ErrReleased
	}
	e := &Credited{Payment: c.Payment, Amount: c.Amount, Price: c.Price}
	if e.Price == (money.Price{}) {
		e.Price = d.s.Terms.Price
	}
	if err := errors.Join(c.Amount.Check(), c.Quoted.Check(), e.Price.Check()); err != nil {
		return invalid(err)
	}
	if c.Amount == 0 || c.Payment == "" || c.Paid < 0 {
		return fmt.Errorf("%w: a credit has a payment, an amount and a time", ErrInvalid)
	}
	d.settleAsOf(c.Paid)
	if _, err := d.s.Credited.Add(c.Amount); err != nil {
		return err
	}
	e.At, e.DebtPaid = d.now(), min(c.Amount, d.s.Debt)
	if own := d.s.Terms.Price; c.Quoted > 0 && own != e.Price {
		// Debt is paid of what comes above first: the quote holds for all that it asked.
		if e.Above = max(0, c.Amount-e.DebtPaid-c.Quoted); e.Above > 0 {
			e.AbovePrice = own
		}
	}
	if err := e.buy(); err != nil || d.s.Left()+e.Time > money.MaxTime {
		return money.ErrTooLong // the only error of buy
	}
	d.emit(e)
	d.startOrRecover(ReasonPaid)
	return nil
}

// buy sets the time that a credit buys: at each price by itself, rounded down.
func (e *Credited) buy() (err error) {
	if e.Time, err = e.Price.TimeFor(e.Amount - e.DebtPaid - e.Above); err != nil || e.Above == 0 {
		return err
	}
	above, err := e.AbovePrice.TimeFor(e.Above)
	e.Time += above
	return err
}

// settleAsOf settles a resource whose time passes up to when the money came, if it had time
// until then: money that came in time was never late, however late we hear of it.
// One whose time does not pass starts when it is started, which is now.
func (d *deciding) settleAsOf(paid instant.Time) {
	paid = max(min(paid, d.t), d.s.Last)
	if c, ok := d.s.clock(); ok && paid < c.At(d.s.Left()) {
		d.t = paid
	}
	d.settle()
}

func (d *deciding) grant(c Grant) error {
	if i := d.s.Find(c.Key, true); i >= 0 {
		if d.s.Lots[i].Time != c.Time {
			return fmt.Errorf("%w: grant %s was of %d ms, not %d", ErrConflict, c.Key, d.s.Lots[i].Time, c.Time)
		}
		return nil
	}
	switch {
	case d.s.Status == StatusReleased:
		return ErrReleased
	case c.Key == "" || c.Time < 1 || c.Time > money.MaxTime:
		return fmt.Errorf("%w: a grant has a key, and 1 ms to 250 years", ErrInvalid)
	}
	d.settle()
	if d.s.Left()+c.Time > money.MaxTime {
		return money.ErrTooLong
	}
	d.emit(&Granted{At: d.now(), Key: c.Key, Time: c.Time, Reason: c.Reason})
	d.startOrRecover(ReasonGranted)
	return nil
}

// startOrRecover does what new time brings: a start, or the end of a warning.
func (d *deciding) startOrRecover(reason Reason) {
	if d.s.Left() == 0 {
		return
	}
	switch {
	case d.s.Status == StatusAwaiting || d.s.Status == StatusSuspended:
		d.begin(reason)
	case d.s.Status == StatusStarting && d.s.Uptime.Ready:
		d.emit(&Started{At: d.now(), Reason: ReasonUp})
	}
	if d.s.Warned && d.s.Left() > d.s.warnLeft() {
		d.emit(&Recovered{At: d.now()})
	}
	d.warn(d.t)
}

// begin lets a resource run, or start where its clock waits for the keeper to say that it is up,
// unless its holder had it paused.
func (d *deciding) begin(reason Reason) {
	switch {
	case d.s.Halted:
		d.emit(&Paused{At: d.now()})
	case d.s.Terms.Uptime:
		d.emit(&Starting{At: d.now(), Reason: reason})
	default:
		d.emit(&Started{At: d.now(), Reason: reason})
	}
}

func (d *deciding) pause() error {
	switch d.s.Status {
	case StatusPaused:
		return nil
	case StatusReleased:
		return ErrReleased
	}
	if d.settle(); !d.s.wanted() || d.s.Unpaid() {
		return ErrNotRuns
	}
	if again := d.s.Since.Add(uptime.MinRun); d.s.Resumed && d.t < again {
		return &uptime.TooSoonError{Again: again, Wait: again.Sub(d.t)}
	}
	d.emit(&Paused{At: d.now()})
	return nil
}

func (d *deciding) resume() error {
	switch d.s.Status {
	case StatusReleased:
		return ErrReleased
	case StatusAwaiting, StatusSuspended:
		return ErrNotPaused
	}
	if d.s.Remaining(d.t) == 0 {
		return ErrNoTime
	}
	if d.s.wanted() {
		return nil
	}
	d.settle()
	d.begin(ReasonResumed)
	d.warn(d.t)
	return nil
}

func (d *deciding) reverse(c Reverse) error {
	d.settle()
	i := d.s.Find(c.Payment, false)
	if i < 0 {
		return ErrNoCredit
	}
	l, balance := d.s.Lots[i], d.s.BalanceOf(i)
	amount := l.Amount + l.DebtPaid
	d.emit(&Reversed{
		At: d.now(), Payment: c.Payment, Amount: amount, Balance: balance, Time: l.Left(), Debt: amount - balance, Reason: c.Reason,
	})
	d.warn(d.t)
	if (d.s.wanted() || d.s.Status == StatusPaused) && d.s.Left() == 0 {
		d.emit(&Exhausted{At: d.now()})
	}
	return nil
}

func (d *deciding) hold(c Hold) {
	end, ok := d.s.graceEnd()
	if !ok {
		return
	}
	until := max(min(c.Until, end.Add(MaxHold)), d.t)
	if held := d.s.HeldUntil(); until == held || until == d.t && held <= d.t {
		return
	}
	d.emit(&Held{At: d.now(), Payment: c.Payment, Until: until})
}

func (d *deciding) reprice(c Reprice) error {
	switch {
	case d.s.Status == StatusReleased:
		return ErrReleased
	case d.s.Terms.Price == c.Price:
		return nil
	}
	if err := c.Price.Check(); err != nil {
		return invalid(err)
	}
	d.settle()
	d.emit(&Repriced{At: d.now(), Price: c.Price})
	return nil
}

func (d *deciding) release(reason Reason) {
	if d.settle(); d.s.Status == StatusReleased || reason == ReasonNotDelivered && !d.s.Unpaid() {
		return
	}
	d.emit(&Released{At: d.now(), Reason: reason})
}
