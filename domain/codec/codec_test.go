package codec_test

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"

	"sandglass/domain/codec"
	"sandglass/domain/instant"

	"pgregory.net/rapid"
)

// every has one field of each kind.
type every struct {
	Name   string
	Note   string
	At     instant.Time
	Until  instant.Time
	Amount int64
	Debt   int64
	Forced bool
	Hash   [4]byte
}

func (e *every) Fields(f *codec.Fields) {
	codec.String(f, "name", &e.Name)
	codec.OptString(f, "note", &e.Note)
	codec.Time(f, "at", &e.At)
	codec.OptTime(f, "until", &e.Until)
	codec.Int(f, "amount_msat", &e.Amount)
	codec.OptInt(f, "debt_msat", &e.Debt)
	codec.Bool(f, "forced", &e.Forced)
	codec.OptHex(f, "hash", e.Hash[:])
}

func TestCanonicalForm(t *testing.T) {
	full := every{"vm-1", `a "quoted" ü <b>`, 1, 2, 3, 4, true, [4]byte{0xde, 0xad, 0, 1}}
	const text = `{"name":"vm-1","note":"a \"quoted\" ü \u003cb\u003e",` +
		`"at":"1970-01-01T00:00:00.001Z","until":"1970-01-01T00:00:00.002Z",` +
		`"amount_msat":3,"debt_msat":4,"forced":true,"hash":"dead0001"}`
	if got := codec.Encode(&full); string(got) != text {
		t.Errorf("got  %s\nwant %s", got, text)
	}
	sparse := every{Name: "", At: 0}
	if got := codec.Encode(&sparse); string(got) != `{"name":"","at":"1970-01-01T00:00:00.000Z","amount_msat":0}` {
		t.Errorf("got %s", got)
	}
}

// What is written may be shared: two that write it at once don't meet. The race detector tells.
func TestWritingWritesToNothing(t *testing.T) {
	e := every{"vm-1", "a note", 1, 2, 3, 4, true, [4]byte{0xde, 0xad, 0, 1}}
	want := codec.Encode(&e)
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			if got := codec.Encode(&e); !bytes.Equal(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	writers.Wait()
}

// A payer may name a resource by any bytes, and must not make a log that can't be read.
func TestTextThatIsNotUTF8IsReadAgain(t *testing.T) {
	e := every{Name: "vm\xff\xfe-1"}
	var back every
	if err := codec.Decode(codec.Encode(&e), &back); err != nil || back.Name != "vm\ufffd-1" {
		t.Errorf("read as %q, %v", back.Name, err)
	}
}

func TestWhatIsWrittenIsReadAndIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.Int64Range(int64(instant.Min), int64(instant.Max))
		e := every{
			Name: rapid.String().Draw(t, "name"), Note: rapid.String().Draw(t, "note"),
			At: instant.Time(times.Draw(t, "at")), Until: instant.Time(times.Draw(t, "until")),
			Amount: rapid.Int64Min(0).Draw(t, "amount"), Debt: rapid.Int64Min(0).Draw(t, "debt"),
			Forced: rapid.Bool().Draw(t, "forced"),
			Hash:   [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "hash")),
		}
		text := codec.Encode(&e)
		var back every
		if err := codec.Decode(text, &back); err != nil || back != e {
			t.Fatalf("%s is read as %+v, %v", text, back, err)
		}
		var std struct {
			Name, Note string
			Amount     int64 `json:"amount_msat"`
		}
		if err := json.Unmarshal(text, &std); err != nil || std.Name != e.Name || std.Note != e.Note || std.Amount != e.Amount {
			t.Fatalf("the standard library reads %s as %+v, %v", text, std, err)
		}
	})
}

// FuzzDecode holds that what is read is JSON, is read alike by the standard library,
// and has no second form.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"name":"a","at":"2026-01-02T03:04:05.678Z","amount_msat":1}`,
		`{"name":"a\u00fc","at":"2026-01-02T03:04:05.678Z","amount_msat":01}`,
		`{"name":"a","note":"","at":"2026-01-02T03:04:05.678Z","amount_msat":9223372036854775808}`,
		`{"name":"a","at":"2026-01-02T03:04:05.678Z","amount_msat":-1,"x":2}`,
		`{"name":"a","at":"2026-01-02T03:04:05.678Z","amount_msat":1,"hash":"DEAD0001"}`, `{}`, `[`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e every
		if codec.Decode(data, &e) != nil {
			return
		}
		if again := codec.Encode(&e); !bytes.Equal(again, data) {
			t.Fatalf("%q is read and written as %q", data, again)
		}
		var std struct {
			Name   string
			Amount int64 `json:"amount_msat"`
		}
		if err := json.Unmarshal(data, &std); err != nil || std.Name != e.Name || std.Amount != e.Amount {
			t.Fatalf("the standard library reads %q as %+v, %v", data, std, err)
		}
	})
}
