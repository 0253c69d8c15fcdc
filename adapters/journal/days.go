package journal

import (
	"cmp"
	"slices"

	"sandglass/domain/instant"
	"sandglass/projections/books"
)

// days sums up the entries of a day.
type days struct {
	to  writer
	day int64
	of  map[books.Kind]*day // nil before the first
}

// day is what a day has of one kind.
type day struct {
	line
	places map[[2]books.Account]int // in moves
}

// dayOf counts days of UTC.
func dayOf(t instant.Time) int64 { return int64(t) / int64(instant.Day) }

func (d *days) add(e *books.Entry, moves []move) error {
	if n := dayOf(e.On); d.of == nil || n != d.day {
		if err := d.flush(); err != nil {
			return err
		}
		d.day, d.of = n, map[books.Kind]*day{}
	}
	k := d.of[e.Kind]
	if k == nil {
		k = &day{line: line{kind: e.Kind, first: e.Record.Position}, places: map[[2]books.Account]int{}}
		d.of[e.Kind] = k
	}
	k.on, k.last = e.On, e.Record.Position
	k.events++
	for _, m := range moves {
		accounts := [2]books.Account{m.Debit, m.Credit}
		i, ok := k.places[accounts]
		if !ok {
			i = len(k.moves)
			k.places[accounts] = i
			k.moves = append(k.moves, move{Move: books.Move{Debit: m.Debit, Credit: m.Credit}})
		}
		k.moves[i].Amount += m.Amount
		k.moves[i].time += m.time
	}
	return nil
}

// flush writes the day that is over.
func (d *days) flush() error {
	for _, kind := range books.Kinds {
		k := d.of[kind]
		if k == nil {
			continue
		}
		slices.SortFunc(k.moves, func(a, b move) int {
			return cmp.Or(compare(a.Debit, b.Debit), compare(a.Credit, b.Credit))
		})
		if err := d.to.line(&k.line); err != nil {
			return err
		}
	}
	d.of = nil
	return nil
}
