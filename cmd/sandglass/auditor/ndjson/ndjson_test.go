package ndjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"sandglass/domain/stream"
)

const line = `{"position":42,"stream":"resource-web-1","revision":7,"id":"6f2a5c1e-7a0b-5d3c-9e4f-0a1b2c3d4e5f",` +
	`"type":"resource.opened.v1","at":"2026-01-02T03:04:05.678Z","recorded_at":"2026-01-02T03:04:05.690Z",` +
	`"data":{"a":"}\"\\","b":[{"meta":{}},1]},"meta":{"actor":"x"}}`

// What is read fast is what is read in the usual way.
func FuzzLine(f *testing.F) {
	for _, s := range []string{
		line, strings.Replace(line, `,"meta":{"actor":"x"}}`, "}", 1), line + " ", " " + line, line[:len(line)-1], "",
		strings.Replace(line, "42", "042", 1), strings.Replace(line, "42", "9223372036854775807", 1),
		strings.Replace(line, "42", "-1", 1), strings.Replace(line, "web-1", `w\u0065b`, 1),
		strings.Replace(line, `-1",`, `-1","stream":"other",`, 1), strings.Replace(line, "6f2a", "6F2A", 1),
		strings.Replace(line, `"data":{`, `"data": {`, 1), strings.Replace(line, `"b":[`, `"b": [ `, 1), line + line,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got, want stream.Record
		if !fast(&got, b) {
			return
		}
		if err := slow(&want, b); err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read fast as %+v, want %+v", b, got, want)
		} else if err != nil && json.Valid(b) {
			t.Errorf("%q is read fast as %+v, and not at all otherwise: %v", b, got, err)
		}
	})
}

func TestWhatIsWrittenIsReadFast(t *testing.T) {
	var got stream.Record
	if !fast(&got, []byte(line)) || string(got.Meta) != `{"actor":"x"}` || got.Position != 42 || got.Revision != 7 {
		t.Errorf("it is read as %+v", got)
	}
}

// read returns the records of a log, and why it ended.
func read(r io.Reader) (recs []stream.Record, err error) {
	var page stream.Page
	for piece, err := range Log(r) {
		if err != nil {
			return recs, err
		}
		err = piece(&page)
		for _, rec := range page.Records { // of a page that is used again
			rec.Data, rec.Meta = bytes.Clone(rec.Data), bytes.Clone(rec.Meta)
			recs = append(recs, rec)
		}
		if err != nil {
			return recs, err
		}
	}
	return recs, nil
}

func TestALogIsReadInPieces(t *testing.T) {
	var log strings.Builder
	for n := range 3000 {
		fmt.Fprintln(&log, strings.Replace(line, "42", fmt.Sprint(n+1), 1))
		if n%1000 == 0 {
			log.WriteString("\n \n")
		}
	}
	for name, r := range map[string]io.Reader{
		"at once":                strings.NewReader(log.String()),
		"in halves":              iotest.HalfReader(strings.NewReader(log.String())),
		"without an end of line": strings.NewReader(strings.TrimSuffix(log.String(), "\n")),
	} {
		recs, err := read(r)
		if err != nil || len(recs) != 3000 {
			t.Fatalf("%s: %d records, %v", name, len(recs), err)
		}
		for i := range recs {
			if recs[i].Position != stream.Position(i+1) || recs[i].Stream != "resource-web-1" {
				t.Fatalf("%s: record %d is %+v", name, i, recs[i])
			}
		}
	}
	for _, bad := range []string{"{", `{"id":"x"}`, "null", strings.Repeat("x", 3*maxLine)} {
		recs, err := read(strings.NewReader(log.String() + bad + "\n" + line))
		if err == nil || len(recs) != 3000 {
			t.Errorf("%.20q: %d records, %v", bad, len(recs), err)
		}
	}
	failed := fmt.Errorf("a disk fails")
	if _, err := read(io.MultiReader(strings.NewReader(line), iotest.ErrReader(failed))); err == nil {
		t.Error("an error was passed off as the end")
	}
}

// What another reader takes otherwise than we hash it is refused.
func TestAKeyThatStandsThereTwice(t *testing.T) {
	for _, shown := range []string{
		`{"data":{"a":"of a thief"},` + line[1:],
		strings.Replace(line, `"data"`, `"data":{"a":"of a thief"},"Data"`, 1),
		strings.Replace(line, `"stream"`, `"stream":"other","ſtream"`, 1),
		line[:len(line)-1] + `,"recorded_at":"2026-01-02T03:04:05.690Z"}`,
	} {
		if !json.Valid([]byte(shown)) {
			t.Fatal(shown)
		}
		if recs, err := read(strings.NewReader(shown)); err == nil {
			t.Errorf("%s is read as %+v", shown, recs)
		}
	}
	newer := strings.Replace(line, `{"position"`, `{"new_key":[1], "position"`, 1)
	if recs, err := read(strings.NewReader(newer)); err != nil || len(recs) != 1 {
		t.Errorf("a key of a newer build: %v", err)
	}
}

func BenchmarkDecode(b *testing.B) {
	lines := bytes.Repeat([]byte(line+"\n"), 1000)
	var room []stream.Record
	for b.Loop() {
		var err error
		if room, err = decode(room[:0], lines); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}
