package journal

import (
	"bufio"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
	"sandglass/projections/books"
)

// hledger writes a journal: integers of one commodity, without prices, so that no version rounds.
// ledger reads the same file: it takes the second of the two commodity lines, hledger the first.
type hledger struct {
	out *bufio.Writer
	b   []byte
	// accounts are all that were moved, before the period and in it.
	accounts map[books.Account]*account
	from     instant.Time
	opened   bool
	day      int64
	date     []byte // of that day, once there was a line
}

// account is what a journal says of one account.
type account struct {
	balance money.Msat // debits are above 0
	told    bool       // its line is written
}

// tags are those that transactions have.
var tags = []string{
	"at", "position", "stream", "revision", "resource", "payment", "via", "reason", "time_ms",
	"events", "first_position", "last_position",
}

func newHLedger(out *bufio.Writer, o Options) (*hledger, error) {
	h := &hledger{out: out, accounts: map[books.Account]*account{}, from: o.Period.From}
	h.b = append(h.b, "; Sandglass: the books by "...)
	h.b = append(append(h.b, o.By...), ", in millisatoshi; days are those of UTC, on which events were written.\n"...)
	h.b = append(h.b, "decimal-mark .\ncommodity 1000. msat\ncommodity msat\n"...)
	for _, tag := range tags {
		h.b = append(append(append(h.b, "tag "...), tag...), '\n')
	}
	return h, h.flush()
}

func (h *hledger) flush() error {
	_, err := h.out.Write(h.b)
	h.b = h.b[:0]
	return err
}

// carry implements [writer].
func (h *hledger) carry(moves []move) {
	for _, m := range moves {
		h.account(m.Debit).balance += m.Amount
		h.account(m.Credit).balance -= m.Amount
	}
}

func (h *hledger) account(a books.Account) *account {
	kept := h.accounts[a]
	if kept == nil {
		a.Resource = resource.ID(strings.Clone(string(a.Resource))) // what it is cut from is large
		kept = new(account)
		h.accounts[a] = kept
	}
	return kept
}

// open writes the balances that the period begins with. What was earned before it is retained: a
// period's income is its own.
func (h *hledger) open() {
	h.opened = true
	for a, kept := range h.accounts {
		switch {
		case kept.balance == 0:
			delete(h.accounts, a)
		case a.Class == books.Income:
			delete(h.accounts, a)
			h.accounts[books.Account{Class: retained, Plan: a.Plan}] = kept
		}
	}
	if len(h.accounts) == 0 {
		return
	}
	all := h.sorted()
	for _, a := range all {
		h.tell(a)
	}
	h.b = append(date(append(h.b, '\n'), h.from), " opening balances\n"...)
	for _, a := range all {
		h.posting(a, h.accounts[a].balance)
		h.b = append(h.b, '\n')
	}
}

func (h *hledger) sorted() []books.Account { return slices.SortedFunc(maps.Keys(h.accounts), compare) }

// tell writes the line of an account before it is used, and returns what is kept of it.
func (h *hledger) tell(a books.Account) *account {
	kept := h.account(a)
	if !kept.told {
		kept.told = true
		h.b = append(appendName(append(h.b, "account "...), a), '\n')
	}
	return kept
}

// posting writes what an account gains, without the end of the line.
func (h *hledger) posting(a books.Account, m money.Msat) {
	h.b = appendName(append(h.b, "    "...), a)
	h.b = strconv.AppendInt(append(h.b, "  "...), int64(m), 10)
	h.b = append(h.b, " msat"...)
}

// line implements [writer].
func (h *hledger) line(l *line) error {
	if !h.opened {
		h.open()
	}
	for i := range l.moves {
		m := &l.moves[i]
		h.tell(m.Debit).balance += m.Amount
		h.tell(m.Credit).balance -= m.Amount
	}
	if n := dayOf(l.on); n != h.day || h.date == nil {
		h.day, h.date = n, date(nil, l.on)
	}
	h.b = append(append(append(h.b, '\n'), h.date...), ' ')
	h.b = append(h.b, l.kind...)
	if l.entry != nil && l.entry.Resource != "" {
		h.b = appendPlain(append(h.b, ' '), string(l.entry.Resource), false)
	}
	h.b = append(h.b, '\n')
	h.tags(l)
	for i := range l.moves {
		m := &l.moves[i]
		h.posting(m.Debit, m.Amount)
		h.b = append(h.b, '\n')
		h.posting(m.Credit, -m.Amount)
		h.b = append(h.b, '\n')
	}
	return h.flush()
}

// tags writes what the accounts do not say.
func (h *hledger) tags(l *line) {
	var time instant.Millis
	for i := range l.moves {
		time += l.moves[i].time
	}
	if e := l.entry; e != nil {
		h.b = append(e.Record.At.AppendText(append(h.b, "    ; at: "...)), '\n')
		h.number("position", int64(l.last))
		h.text("stream", e.Record.Stream)
		h.number("revision", int64(e.Record.Revision))
		h.text("resource", string(e.Resource))
		h.text("payment", string(e.Payment))
		h.text("via", string(e.Via))
		h.text("reason", string(e.Reason))
	} else {
		h.number("events", l.events)
		h.number("first_position", int64(l.first))
		h.number("last_position", int64(l.last))
	}
	if time != 0 {
		h.number("time_ms", int64(time))
	}
}

func (h *hledger) number(tag string, n int64) {
	h.b = append(append(append(h.b, "    ; "...), tag...), ": "...)
	h.b = append(strconv.AppendInt(h.b, n, 10), '\n')
}

func (h *hledger) text(tag, s string) {
	if s != "" {
		h.b = append(append(append(h.b, "    ; "...), tag...), ": "...)
		h.b = append(appendPlain(h.b, s, true), '\n')
	}
}

// end implements [writer]: it asserts what each account has at the end.
func (h *hledger) end(last instant.Time) error {
	if !h.opened {
		h.open()
	}
	if len(h.accounts) > 0 {
		h.b = append(date(append(h.b, '\n'), max(last, h.from)), " closing balances\n"...)
		for _, a := range h.sorted() {
			h.posting(a, 0)
			h.b = strconv.AppendInt(append(h.b, " = "...), int64(h.accounts[a].balance), 10)
			h.b = append(h.b, " msat\n"...)
		}
	}
	return h.flush()
}
