package projections

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"iter"
	"strconv"

	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// Dump writes every figure of every view, as the views stood at one position: a JSON
// object a line, sorted by its first field, which is the stream. The first line is of
// "$views": the position, the settling period that the deadlines depend on, and the sums.
// The views are folded on meanwhile; memory is bounded by what changes in that time.
func (v *Views) Dump(w io.Writer) error {
	im, release := v.image()
	defer release()
	b := bufio.NewWriterSize(w, 64<<10)
	for _, line := range im.lines(v.byID().order) {
		if _, err := b.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return b.Flush()
}

// lines yields the image as Dump writes it: streams with their lines, which are valid
// until the next. order holds at least the image's rows by their ids.
func (im *image) lines(order []int32) iter.Seq2[string, []byte] {
	im.sort()
	return func(yield func(string, []byte) bool) {
		var l line
		if !yield(headStream, l.head(im)) {
			return
		}
		for _, s := range sortedAddresses(im.issued) {
			if name := address.Prefix + s.Address; !yield(name, l.address(name, &s)) {
				return
			}
		}
		for _, p := range im.payments {
			if name := payment.Prefix + string(p.state.Key); !yield(name, l.payment(name, p)) {
				return
			}
		}
		for i := range im.plans {
			if name := plan.Prefix + im.plans[i].state.Name; !yield(name, l.plan(name, &im.plans[i])) {
				return
			}
		}
		for _, i := range order {
			if i >= im.n {
				continue // came up later
			}
			if name := resource.Prefix + string(im.row(i).id); !yield(name, l.resource(name, im, im.row(i))) {
				return
			}
		}
	}
}

// headStream stands before all streams, and can be none: no name has a '$'.
const headStream = "$views"

// line is a flat JSON object that is being written.
type line []byte

func (l *line) begin(stream string) {
	*l = append((*l)[:0], `{"stream":`...)
	*l = appendText(*l, stream)
}

func (l *line) name(name string) {
	*l = append(append(append(*l, ',', '"'), name...), '"', ':')
}

func figure[T ~int64 | ~int32 | ~uint64](l *line, name string, n T) {
	l.name(name)
	*l = strconv.AppendInt(*l, int64(n), 10)
}

func (l *line) text(name, s string) {
	l.name(name)
	*l = appendText(*l, s)
}

func (l *line) time(name string, t instant.Time) {
	l.name(name)
	*l = append(t.AppendText(append(*l, '"')), '"')
}

func (l *line) bool(name string, v bool) {
	l.name(name)
	*l = strconv.AppendBool(*l, v)
}

func (l *line) end() []byte {
	*l = append(*l, '}')
	return *l
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func (l *line) head(im *image) []byte {
	l.begin(headStream)
	figure(l, "position", im.at.pos)
	figure(l, "settle_every_ms", im.every)
	figure(l, "wallet_msat", im.ledger.Wallet)
	figure(l, "receivable_msat", im.ledger.Receivable)
	figure(l, "prepaid_msat", im.ledger.Prepaid)
	figure(l, "income_msat", im.ledger.Income)
	figure(l, "unallocated_msat", im.ledger.Unallocated)
	for status, n := range im.counts {
		figure(l, resource.Status(status).String(), int64(n))
	}
	figure(l, "unplaced", int64(im.unplaced))
	figure(l, "plans", int64(len(im.plans)))
	figure(l, "payments", int64(len(im.payments)))
	return l.end()
}

func (l *line) price(p money.Price) {
	figure(l, "price_msat", p.Msat)
	figure(l, "per_ms", p.Per)
}

func (l *line) terms(t *resource.Terms) {
	l.price(t.Price)
	figure(l, "warn_time_ms", t.Warn.Time)
	figure(l, "warn_amount_msat", t.Warn.Amount)
	figure(l, "warn_share_ppm", t.Warn.Share)
	figure(l, "grace_ms", t.Grace)
}

func (l *line) payment(name string, p *openPayment) []byte {
	s := &p.state
	l.begin(name)
	figure(l, "revision", p.revision)
	figure(l, "since", p.since)
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
	l.text("reason", string(s.Reason))
	l.time("last", s.Last)
	if s.OnChain() {
		l.text("address", s.Address)
		figure(l, "height", s.Height)
		l.text("block_hash", s.Block)
		l.bool("final", s.Final)
	}
	return l.end()
}

func (l *line) address(name string, s *address.State) []byte {
	l.begin(name)
	l.text("resource", string(s.Resource))
	l.text("node", s.Node)
	figure(l, "height", s.Height)
	l.time("at", s.At.At)
	return l.end()
}

func (l *line) plan(name string, p *planRow) []byte {
	s := &p.state
	l.begin(name)
	figure(l, "revision", p.revision)
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
	return l.end()
}

func (l *line) resource(name string, im *image, r *row) []byte {
	var s resource.State
	r.unpack(&im.shared, &s)
	l.begin(name)
	figure(l, "revision", r.revision)
	l.text("status", s.Status.String())
	l.time("since", s.Since)
	l.time("settled", mark(&s))
	l.time("last", s.Last)
	figure(l, "left_ms", s.Remaining(s.DebitedTo))
	l.until(&s, im.every)
	figure(l, "held_msat", s.Balance())
	figure(l, "debt_msat", s.Debt)
	figure(l, "credited_msat", s.Credited)
	figure(l, "debited_msat", s.Debited)
	figure(l, "reversed_msat", s.ReversedSum)
	l.bool("warned", s.Warned)
	figure(l, "full_ms", s.Full)
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
	return l.end()
}

// until writes what time alone will bring.
func (l *line) until(s *resource.State, every instant.Millis) {
	if at, ok := PaidUntil(s); ok {
		l.time("paid_until", at)
	}
	if at, ok := s.Deadline(every); ok {
		l.time("deadline", at)
	}
	figure(l, "burn_msat_per_hour", PerHour(Burn(s)))
}

func (l *line) lot(prefix string, lot *resource.Lot) {
	l.text(prefix+"key", lot.Key)
	figure(l, prefix+"amount_msat", lot.Amount)
	figure(l, prefix+"time_ms", lot.Time)
	figure(l, prefix+"used_ms", lot.Used)
	figure(l, prefix+"debt_paid_msat", lot.DebtPaid)
}
