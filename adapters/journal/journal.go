// Package journal writes the books for the programs of bookkeepers and auditors: as CSV for
// spreadsheets, as a journal that hledger and ledger read, and as the log itself.
//
// [Write] goes through the log once. What it holds grows with the accounts, not with the events.
// What is in a text of the log is never taken for anything else: spreadsheets see no formula,
// journals no second line.
package journal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"

	"sandglass/domain/instant"
	"sandglass/domain/pieces"
	"sandglass/domain/stream"
	"sandglass/projections/books"
)

// Format is how the books are written.
type Format string

// The formats.
const (
	NDJSON  Format = "ndjson"  // the records themselves, whole: see [Records]
	CSV     Format = "csv"     // RFC 4180, in UTF-8: see [Columns]
	HLedger Format = "hledger" // of hledger, and of ledger
)

// Formats are all formats.
var Formats = []Format{NDJSON, CSV, HLedger}

// By is what one line or transaction is about.
type By string

// The choices.
const (
	ByEvent By = "event" // each event, by resource
	ByDay   By = "day"   // all of a day (UTC) that is of one kind and of the same accounts, by plan
)

// Options say what is written.
type Options struct {
	Format Format
	By     By
	Period books.Period
	See    func(*stream.Record) // is shown each record that is read, if it is not nil
}

// line is what is written at once: an entry, or the sums of a day.
type line struct {
	on          instant.Time
	kind        books.Kind
	moves       []move
	events      int64
	first, last stream.Position
	entry       *books.Entry // nil for a day
}

// move is what moved, and the time that did: of an entry its first move has it.
type move struct {
	books.Move
	time instant.Millis
}

// movesOf returns the moves of an entry in a room: by plan, where they are not by resource.
func movesOf(e *books.Entry, by By, room []move) []move {
	room = room[:0]
	for i, m := range e.Moves() {
		if by == ByDay {
			m.Debit.Resource, m.Credit.Resource = "", ""
		}
		room = append(room, move{Move: m})
		if i == 0 {
			room[0].time = e.Time
		}
	}
	return room
}

// writer writes one format.
type writer interface {
	// carry takes an entry of before the period.
	carry(moves []move)
	line(l *line) error
	// end is called when all of the period is written; last is when the last record of it was.
	end(last instant.Time) error
}

// Write writes the records of a period of a log to w: the log is read from its begin on, also where the
// period begins later.
func Write(ctx context.Context, w io.Writer, log pieces.Log, o Options) error {
	if err := o.Period.Check(); err != nil {
		return err
	}
	if o.See == nil {
		o.See = func(*stream.Record) {}
	}
	out := bufio.NewWriterSize(w, 256<<10)
	if err := write(ctx, out, log, o); err != nil {
		return err
	}
	return out.Flush()
}

func write(ctx context.Context, out *bufio.Writer, log pieces.Log, o Options) error {
	if o.Format == NDJSON {
		return writeRecords(ctx, out, log, o)
	}
	var w writer
	var err error
	switch o.Format {
	case CSV:
		w, err = newCSV(out)
	case HLedger:
		w, err = newHLedger(out, o)
	default:
		return fmt.Errorf("journal: unknown format %q", o.Format)
	}
	if err != nil {
		return err
	}
	book, days := books.New(), days{to: w}
	var room []move
	before := func(e *books.Entry) error {
		room = movesOf(e, o.By, room)
		w.carry(room)
		return nil
	}
	within := func(e *books.Entry) error {
		if room = movesOf(e, o.By, room); len(room) == 0 {
			return nil
		}
		if o.By == ByDay {
			return days.add(e, room)
		}
		at := e.Record.Position
		return w.line(&line{on: e.On, kind: e.Kind, moves: room, events: 1, first: at, last: at, entry: e})
	}
	facts := seen(pieces.Made(ctx, log, books.Read), o.See)
	if err := book.Read(facts, o.Period, before, within); err != nil {
		return err
	}
	if err := days.flush(); err != nil {
		return err
	}
	return w.end(book.Last())
}

// date writes the day of t, in UTC.
func date(b []byte, t instant.Time) []byte { return t.AppendText(b)[:len(b)+len("2006-01-02")] }

// seen shows the record of each fact that is yielded.
func seen(facts iter.Seq2[*books.Fact, error], see func(*stream.Record)) iter.Seq2[*books.Fact, error] {
	return func(yield func(*books.Fact, error) bool) {
		for f, err := range facts {
			if err == nil {
				see(&f.Record)
			}
			if !yield(f, err) {
				return
			}
		}
	}
}
