package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"sandglass/domain/instant"
	"sandglass/domain/pieces"
	"sandglass/domain/stream"
	"sandglass/projections/books"
)

// errOver ends the log with the period.
var errOver = errors.New("journal: the period is over")

// lines are what is written of a piece of a log.
type lines struct {
	b    []byte
	read int   // how many records were looked at
	err  error // of the last of them, or errOver
}

// writeRecords writes the records of a period, each as GET /v1/events does, in one line.
func writeRecords(ctx context.Context, out *bufio.Writer, log pieces.Log, o Options) error {
	work := func(l *lines, recs []stream.Record, recorded instant.Time) { l.make(recs, recorded, o.Period) }
	taken := 0
	err := pieces.Each(ctx, log, work, func(l *lines, recs []stream.Record) error {
		for i := range recs[:l.read] {
			o.See(&recs[i])
		}
		taken += l.read
		if _, err := out.Write(l.b); err != nil {
			return err
		}
		return l.err
	})
	if errors.Is(err, errOver) {
		return nil
	}
	return pieces.Named(err, taken)
}

// make writes the lines of the records that are in a period, after some that were recorded up to an instant.
func (l *lines) make(recs []stream.Record, on instant.Time, p books.Period) {
	l.b, l.err = l.b[:0], nil
	for l.read = 0; l.read < len(recs) && l.err == nil; l.read++ {
		r := &recs[l.read]
		switch on = max(on, r.RecordedAt); {
		case on < p.From:
		case p.Over(on):
			l.err = errOver
		default:
			if l.b, l.err = appendRecord(l.b, r); l.err != nil {
				l.err = fmt.Errorf("journal: position %d: %w", r.Position, l.err)
			}
		}
	}
}

// appendRecord appends a record as a line of JSON, its payload byte by byte as it is kept; nothing beside an error.
func appendRecord(to []byte, r *stream.Record) ([]byte, error) {
	b := to
	b = strconv.AppendUint(append(b, `{"position":`...), uint64(r.Position), 10)
	b = appendText(append(b, `,"stream":`...), r.Stream)
	b = strconv.AppendInt(append(b, `,"revision":`...), int64(r.Revision), 10)
	b = append(append(append(b, `,"id":"`...), r.ID.String()...), '"')
	b = appendText(append(b, `,"type":`...), r.Type)
	b = append(r.At.AppendText(append(b, `,"at":"`...)), '"')
	b = append(r.RecordedAt.AppendText(append(b, `,"recorded_at":"`...)), '"')
	b = append(b, `,"data":`...)
	if err := checkLine(r.Data); err != nil {
		return to, fmt.Errorf("its data: %w", err)
	}
	b = append(b, r.Data...)
	if len(r.Meta) > 0 {
		if err := checkLine(r.Meta); err != nil {
			return to, fmt.Errorf("its metadata: %w", err)
		}
		b = append(append(b, `,"meta":`...), r.Meta...)
	}
	return append(b, "}\n"...), nil
}

// checkLine returns an error unless b is JSON on one line, as each event is written.
func checkLine(b []byte) error {
	if !json.Valid(b) || bytes.ContainsAny(b, "\r\n") {
		return fmt.Errorf("%.80q is not JSON on one line", b)
	}
	return nil
}

// appendText appends a name as JSON.
func appendText(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, _ := json.Marshal(s) // a text never fails
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
