package dump

import (
	"cmp"
	"encoding/hex"
	"strconv"

	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/resource/lots"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/projections/ledger"
)

// Sums is what the first line tells.
type Sums struct {
	Head
	Accounts ledger.Accounts
	Counts   []int // of resources, by status
	Unplaced int   // resources without host
	Plans    int
	Payments int // that are not at their end
}

// Sums returns the first line.
func (l *Line) Sums(s *Sums) (name string, line []byte) {
	l.begin(headStream)
	figure(l, "position", s.Position)
	figure(l, "settle_every_ms", s.SettleEvery)
	figure(l, "wallet_msat", s.Accounts.Wallet)
	figure(l, "receivable_msat", s.Accounts.Receivable)
	figure(l, "prepaid_msat", s.Accounts.Prepaid)
	figure(l, "income_msat", s.Accounts.Income)
	figure(l, "unallocated_msat", s.Accounts.Unallocated)
	for status, n := range s.Counts {
		figure(l, resource.Status(status).String(), int64(n))
	}
	figure(l, "unplaced", int64(s.Unplaced))
	figure(l, "plans", int64(s.Plans))
	figure(l, "payments", int64(s.Payments))
	return headStream, l.end()
}

func (l *Line) price(p money.Price) {
	figure(l, "price_msat", p.Msat)
	figure(l, "per_ms", p.Per)
}

func (l *Line) terms(t *resource.Terms) {
	l.price(t.Price)
	figure(l, "warn_time_ms", t.Warn.Time)
	figure(l, "warn_amount_msat", t.Warn.Amount)
	figure(l, "warn_share_ppm", t.Warn.Share)
	figure(l, "grace_ms", t.Grace)
	if t.Uptime || t.MaxPause > 0 {
		l.bool("by_uptime", t.Uptime)
		figure(l, "start_within_ms", t.StartWithin)
		figure(l, "max_outage_ms", t.MaxOutage)
		figure(l, "max_pause_ms", t.MaxPause)
		l.bool("hold", t.Hold)
	}
}

// Payment returns the line of a payment at a revision, whose first event is at since.
func (l *Line) Payment(s *payment.State, at stream.Revision, since stream.Position) (name string, line []byte) {
	name = payment.Prefix + string(s.Key)
	l.begin(name)
	figure(l, "revision", at)
	figure(l, "since", since)
	l.text("status", s.Status.String())
	l.text("resource", string(s.Resource))
	figure(l, "asked_msat", s.Asked)
	l.price(s.Price)
	l.time("expires_at", s.Expiry)
	l.text("payment_request", s.Invoice)
	l.time("requested_at", s.Requested)
	figure(l, "amount_msat", s.Amount)
	l.text("via", string(s.Via))
	l.text("node", s.Node)
	figure(l, "settle_index", s.Index)
	l.time("settled_at", s.SettledAt)
	l.time("accepted_at", s.AcceptedAt)
	l.text("reason", string(s.Reason))
	l.time("last", s.Last)
	if s.OnChain() {
		l.text("address", s.Address)
		figure(l, "height", s.Height)
		l.text("block_hash", s.Block)
		l.bool("final", s.Final)
	}
	return name, l.end()
}

// Address returns the line of an address.
func (l *Line) Address(s *address.State) (name string, line []byte) {
	name = address.Prefix + s.Address
	l.begin(name)
	l.text("resource", string(s.Resource))
	l.text("node", s.Node)
	figure(l, "height", s.Height)
	l.time("at", s.At.At)
	return name, l.end()
}

// Wallet returns the line of a node's wallet at a revision.
func (l *Line) Wallet(s *wallet.State, at stream.Revision) (name string, line []byte) {
	name = wallet.Prefix + s.Node
	l.begin(name)
	figure(l, "revision", at)
	figure(l, "epoch", s.Epoch)
	l.text("network", s.Network)
	l.time("since", s.Since)
	l.time("began", s.Began)
	figure(l, "history", s.History)
	figure(l, "settle_index", s.Settle)
	figure(l, "add_index", s.Add)
	l.time("invoices_to", s.Invoices)
	l.time("chain_to", s.Chain)
	l.time("retired", s.Retired)
	l.time("last", s.Last)
	return name, l.end()
}

// Plan returns the line of a plan at a revision.
func (l *Line) Plan(s *plan.State, at stream.Revision) (name string, line []byte) {
	name = plan.Prefix + s.Name
	l.begin(name)
	figure(l, "revision", at)
	l.bool("on_offer", s.OnOffer)
	l.terms(&s.Terms)
	figure(l, "min_time_ms", s.Min)
	figure(l, "max_time_ms", s.Max)
	l.text("enforcer", s.Enforcer)
	l.text("title", s.Title)
	figure(l, "deep_above_msat", s.Large.Above)
	figure(l, "deep_confirmations", s.Large.Confirmations)
	l.text("hosts", string(s.Hosts))
	l.time("last", s.Last)
	return name, l.end()
}

// Resource returns the line of a resource at a revision, which is debited every so often.
func (l *Line) Resource(s *resource.State, at stream.Revision, every instant.Millis) (name string, line []byte) {
	name = resource.Prefix + string(s.ID)
	l.begin(name)
	figure(l, "revision", at)
	l.text("status", s.Status.String())
	l.time("since", s.Since)
	l.time("settled", cmp.Or(s.HoldUntil, s.DebitedTo)) // one of them at most is not zero
	l.time("last", s.Last)
	figure(l, "left_ms", s.Remaining(s.DebitedTo))
	l.until(s, every)
	figure(l, "held_msat", s.Balance())
	figure(l, "debt_msat", s.Debt)
	figure(l, "credited_msat", s.Credited)
	figure(l, "debited_msat", s.Debited)
	figure(l, "reversed_msat", s.ReversedSum)
	l.bool("warned", s.Warned)
	figure(l, "full_ms", s.Full)
	l.uptime(s.Uptime)
	l.text("plan", s.Plan)
	l.terms(&s.Terms)
	l.text("enforcer", s.Enforcer)
	l.text("host", s.Host)
	l.text("holder_hash", hex.EncodeToString(s.Holder[:]))
	l.text("request_hash", hex.EncodeToString(s.Request[:]))
	figure(l, "first_lot", s.First)
	figure(l, "lots", int64(len(s.Lots)))
	for i := range s.Lots {
		l.lot("lot_"+strconv.Itoa(i)+"_", &s.Lots[i])
	}
	return name, l.end()
}

// uptime writes what a resource has besides whose clock can stand still.
func (l *Line) uptime(u *uptime.State) {
	if u == nil {
		return
	}
	l.time("opened", u.Opened)
	l.bool("was_up", u.Up)
	l.bool("ready", u.Ready)
	l.text("why_down", u.Why)
	figure(l, "returned_msat", u.Returned)
	l.budget("outage_", u.Outage)
	l.budget("pause_", u.Pause)
	figure(l, "billed", int64(len(u.Billed)))
	for i, s := range u.Billed {
		prefix := "billed_" + strconv.Itoa(i) + "_"
		l.time(prefix+"from", s.From)
		l.time(prefix+"to", s.To)
	}
}

func (l *Line) budget(prefix string, b uptime.Budget) {
	figure(l, prefix+"period", b.Period)
	figure(l, prefix+"used_ms", b.Used)
	figure(l, prefix+"before_ms", b.Before)
}

// until writes what time alone will bring.
func (l *Line) until(s *resource.State, every instant.Millis) {
	if s.Status == resource.StatusRunning {
		l.time("paid_until", s.PaidUntil())
	}
	if at, ok := s.Deadline(every); ok {
		l.time("deadline", at)
	}
	figure(l, "burn_msat_per_hour", perHour(burn(s)))
}

// burn returns what a running resource costs at present: the money of the lot that is
// being drawn for its time. It is zero for what does not run, and 0 msat per the time
// of the grant while granted time is drawn.
func burn(s *resource.State) money.Price {
	if s.Status != resource.StatusRunning {
		return money.Price{}
	}
	for _, l := range s.Lots[s.First:] {
		if l.Left() > 0 {
			return money.Price{Msat: l.Amount, Per: l.Time}
		}
	}
	return money.Price{}
}

// perHour returns what an hour costs at p, rounded up, and at most [money.MaxMsat].
func perHour(p money.Price) money.Msat {
	if p.Per == 0 {
		return 0
	}
	cost, err := p.CostOf(instant.Hour)
	if err != nil {
		return money.MaxMsat
	}
	return cost
}

func (l *Line) lot(prefix string, lot *lots.Lot) {
	l.text(prefix+"key", lot.Key)
	figure(l, prefix+"amount_msat", lot.Amount)
	figure(l, prefix+"time_ms", lot.Time)
	figure(l, prefix+"used_ms", lot.Used)
	figure(l, prefix+"debt_paid_msat", lot.DebtPaid)
}
