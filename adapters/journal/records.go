package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"

	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/projections/books"
)

// writeRecords writes the records of a period, each as GET /v1/events does, in one line.
func writeRecords(out *bufio.Writer, records iter.Seq2[stream.Record, error], p books.Period) error {
	var on instant.Time
	for r, err := range records {
		if err != nil {
			return err
		}
		if on = max(on, r.RecordedAt); on < p.From {
			continue
		}
		if p.Over(on) {
			return nil
		}
		b, err := appendRecord(out.AvailableBuffer(), &r)
		if err != nil {
			return fmt.Errorf("journal: position %d: %w", r.Position, err)
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// appendRecord appends a record as a line of JSON, its payload byte by byte as it is kept.
func appendRecord(b []byte, r *stream.Record) ([]byte, error) {
	b = strconv.AppendUint(append(b, `{"position":`...), uint64(r.Position), 10)
	b = appendText(append(b, `,"stream":`...), r.Stream)
	b = strconv.AppendInt(append(b, `,"revision":`...), int64(r.Revision), 10)
	b = append(append(append(b, `,"id":"`...), r.ID.String()...), '"')
	b = appendText(append(b, `,"type":`...), r.Type)
	b = append(r.At.AppendText(append(b, `,"at":"`...)), '"')
	b = append(r.RecordedAt.AppendText(append(b, `,"recorded_at":"`...)), '"')
	b = append(b, `,"data":`...)
	if err := checkLine(r.Data); err != nil {
		return nil, fmt.Errorf("its data: %w", err)
	}
	b = append(b, r.Data...)
	if len(r.Meta) > 0 {
		if err := checkLine(r.Meta); err != nil {
			return nil, fmt.Errorf("its metadata: %w", err)
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
