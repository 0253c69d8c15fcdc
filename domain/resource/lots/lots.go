// Package lots keeps what each credit and grant of a resource bought, and what is left of it.
//
// A [Queue] is drawn first in, first out; [Queue.Undraw] is the inverse of [Queue.Draw]. Money
// follows time and is rounded down cumulatively, so that however often a lot is drawn, the sums
// are the same. Why something is drawn, and what it is told with, is left to the package resource.
package lots

import (
	"slices"

	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Queue holds lots in the order in which they came. They are drawn first in, first out, so that
// each funder can be told what is left of their own money. The zero Queue is empty.
type Queue struct {
	Lots  []Lot // every credit and grant that stands
	First int32 // the first lot that is not drawn to its end
}

// Add adds a lot that comes after the others.
func (q *Queue) Add(l Lot) {
	if q.Lots == nil {
		q.Lots = make([]Lot, 0, 1) // most resources are paid once
	}
	q.Lots = append(q.Lots, l)
}

// Remove takes lot i out, and what was drawn of it with it.
func (q *Queue) Remove(i int) {
	if i < int(q.First) {
		q.First--
	}
	q.Lots = slices.Delete(q.Lots, i, i+1)
}

// Lot is what one credit or grant bought.
type Lot struct {
	Key      string         // of the payment or the grant
	Amount   money.Msat     // the money that its time is worth
	Time     instant.Millis // bought
	Used     instant.Millis // drawn
	DebtPaid money.Msat     // what of the payment paid off debt, and bought no time
}

// Grant reports whether the lot was given for nothing: every payment brings money.
func (l *Lot) Grant() bool { return l.Amount == 0 && l.DebtPaid == 0 }

// Left returns the time that can still be drawn.
func (l *Lot) Left() instant.Millis { return l.Time - l.Used }

// moved returns the money that has left the lot: floor(amount × used / time). It is
// cumulative, so that however often a lot is drawn, the sum is the same, and a lot
// drawn to its end has moved its whole amount. drained tells a lot without time,
// whose money moves when the drawing passes it.
func (l *Lot) moved(drained bool) money.Msat {
	if drained {
		return l.Amount
	}
	if l.Time == 0 {
		return 0
	}
	return money.Share(l.Amount, l.Used, l.Time)
}

// BalanceOf returns the money that is left in lot i.
func (q *Queue) BalanceOf(i int) money.Msat {
	return q.Lots[i].Amount - q.Lots[i].moved(i < int(q.First))
}

// Balance returns the money that is left in all lots: what the operator owes in time.
func (q *Queue) Balance() (sum money.Msat) {
	for i := int(q.First); i < len(q.Lots); i++ {
		sum += q.BalanceOf(i)
	}
	return sum
}

// Left returns the time that all lots have left.
func (q *Queue) Left() (sum instant.Millis) {
	for i := int(q.First); i < len(q.Lots); i++ {
		sum += q.Lots[i].Left()
	}
	return sum
}

// Draw takes d from the lots, oldest first, and returns the money that moved. d is no
// more than what is left. After a draw no lot at the front is empty: what has come to
// its end is passed, with a lot that was too small to buy a millisecond. So the sums
// depend on how much was drawn since the last credit, never on how it was cut.
func (q *Queue) Draw(d instant.Millis) (sum money.Msat) {
	if d == 0 {
		return 0
	}
	for i := int(q.First); i < len(q.Lots); i++ {
		l := &q.Lots[i]
		before := l.moved(false)
		part := min(d, l.Left())
		l.Used += part
		d -= part
		if l.Left() > 0 {
			return sum + l.moved(false) - before
		}
		q.First = int32(i + 1)
		sum += l.Amount - before
	}
	return sum
}

// Undraw gives d back to the lots, those that were drawn last first, and returns the money that
// moved back. d is no more than what was drawn. It is the inverse of Draw: drawn again, the same
// moves again. Money without time goes back with the first millisecond that was drawn after it.
func (q *Queue) Undraw(d instant.Millis) (sum money.Msat) {
	if d == 0 {
		return 0
	}
	for d > 0 {
		before := money.Msat(0)
		if i := int(q.First); i < len(q.Lots) && q.Lots[i].Used > 0 {
			before = q.Lots[i].moved(false)
		} else {
			q.First--
			before = q.Lots[q.First].Amount
		}
		l := &q.Lots[q.First]
		part := min(d, l.Used)
		l.Used -= part
		d -= part
		sum += before - l.moved(false)
	}
	for i := int(q.First) - 1; i >= 0 && i+1 < len(q.Lots) && q.Lots[i+1].Used == 0 && q.Lots[i].Time == 0; i-- {
		q.First = int32(i)
		sum += q.Lots[i].Amount
	}
	return sum
}

// Drawn returns the time that was drawn from all lots.
func (q *Queue) Drawn() (sum instant.Millis) {
	for i := range q.Lots {
		sum += q.Lots[i].Used
	}
	return sum
}

// Has reports whether the credit of that payment stands.
func (q *Queue) Has(payment string) bool { return q.Find(payment, false) >= 0 }

// Find returns the index of the lot of that key, or −1.
func (q *Queue) Find(key string, grant bool) int {
	for i := len(q.Lots) - 1; i >= 0; i-- {
		if q.Lots[i].Key == key && q.Lots[i].Grant() == grant {
			return i
		}
	}
	return -1
}

// LeftAtBalance returns the time that is left at the first instant at which the balance is
// no more than target, which is not negative. A lot without time moves its money when
// the drawing passes it: with the end of the lot before it, or with the first
// millisecond where none is before it.
func (q *Queue) LeftAtBalance(target money.Msat) instant.Millis {
	all, balance := q.Left(), q.Balance()
	left := all
	for i := int(q.First); i < len(q.Lots) && balance > target; i++ {
		l, own := &q.Lots[i], q.BalanceOf(i)
		switch {
		case balance-own > target: // still above it when this lot is drawn
			left, balance = left-l.Left(), balance-own
		case l.Time == 0:
			return max(0, min(left, all-1))
		default:
			moved := l.Amount - own + balance - target
			return left - (money.Reach(l.Amount, moved, l.Time) - l.Used)
		}
	}
	return left
}
