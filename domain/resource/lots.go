package resource

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// Lot is what one credit or grant bought. Lots are drawn first in, first out, so that
// each funder can be told what is left of their own money.
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

// balanceOf returns the money that is left in lot i.
func (s *State) balanceOf(i int) money.Msat {
	return s.Lots[i].Amount - s.Lots[i].moved(i < int(s.First))
}

// Balance returns the money that is left in all lots: what the operator owes in time.
func (s *State) Balance() (sum money.Msat) {
	for i := int(s.First); i < len(s.Lots); i++ {
		sum += s.balanceOf(i)
	}
	return sum
}

// left returns the time that all lots have left as of s.DebitedTo.
func (s *State) left() (sum instant.Millis) {
	for i := int(s.First); i < len(s.Lots); i++ {
		sum += s.Lots[i].Left()
	}
	return sum
}

// draw takes d from the lots, oldest first, and returns the money that moved. d is no
// more than what is left. After a draw no lot at the front is empty: what has come to
// its end is passed, with a lot that was too small to buy a millisecond. So the sums
// depend on how much was drawn since the last credit, never on how it was cut.
func (s *State) draw(d instant.Millis) (sum money.Msat) {
	if d == 0 {
		return 0
	}
	for i := int(s.First); i < len(s.Lots); i++ {
		l := &s.Lots[i]
		before := l.moved(false)
		part := min(d, l.Left())
		l.Used += part
		d -= part
		if l.Left() > 0 {
			return sum + l.moved(false) - before
		}
		s.First = int32(i + 1)
		sum += l.Amount - before
	}
	return sum
}

// undraw gives d back to the lots, those that were drawn last first, and returns the money that
// moved back. d is no more than what was drawn. It is the inverse of draw: drawn again, the same
// moves again. Money without time goes back with the first millisecond that was drawn after it.
func (s *State) undraw(d instant.Millis) (sum money.Msat) {
	if d == 0 {
		return 0
	}
	for d > 0 {
		before := money.Msat(0)
		if i := int(s.First); i < len(s.Lots) && s.Lots[i].Used > 0 {
			before = s.Lots[i].moved(false)
		} else {
			s.First--
			before = s.Lots[s.First].Amount
		}
		l := &s.Lots[s.First]
		part := min(d, l.Used)
		l.Used -= part
		d -= part
		sum += before - l.moved(false)
	}
	for i := int(s.First) - 1; i >= 0 && i+1 < len(s.Lots) && s.Lots[i+1].Used == 0 && s.Lots[i].Time == 0; i-- {
		s.First = int32(i)
		sum += s.Lots[i].Amount
	}
	return sum
}

// drawn returns the time that was drawn from all lots.
func (s *State) drawn() (sum instant.Millis) {
	for i := range s.Lots {
		sum += s.Lots[i].Used
	}
	return sum
}

// Has reports whether the credit of that payment stands.
func (s *State) Has(payment string) bool { return s.lot(payment, false) >= 0 }

// lot returns the index of the lot of that key, or −1.
func (s *State) lot(key string, grant bool) int {
	for i := len(s.Lots) - 1; i >= 0; i-- {
		if s.Lots[i].Key == key && s.Lots[i].Grant() == grant {
			return i
		}
	}
	return -1
}

// leftAtBalance returns the time that is left at the first instant at which the balance is
// no more than target, which is not negative. A lot without time moves its money when
// the drawing passes it: with the end of the lot before it, or with the first
// millisecond where none is before it.
func (s *State) leftAtBalance(target money.Msat) instant.Millis {
	all, balance := s.left(), s.Balance()
	left := all
	for i := int(s.First); i < len(s.Lots) && balance > target; i++ {
		l, own := &s.Lots[i], s.balanceOf(i)
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
