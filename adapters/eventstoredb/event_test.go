package eventstoredb

import (
	"bytes"
	"testing"

	"sandglass/domain/instant"
)

const noon instant.Time = 1_767_355_200_000 // 2026-01-02T12:00:00.000Z

func TestMetadata(t *testing.T) {
	for _, test := range []struct {
		what     string
		recorded instant.Time
		meta     string
		want     string
	}{
		{"none", 0, ``, `{"at":"2026-01-02T12:00:00.000Z"}`},
		{
			"our own", 0,
			`{"actor":"meter","$correlationId":"c"}`,
			`{"at":"2026-01-02T12:00:00.000Z","actor":"meter","$correlationId":"c"}`,
		},
		{
			"copied", noon + 1,
			`{"actor":"meter"}`,
			`{"at":"2026-01-02T12:00:00.000Z","recorded_at":"2026-01-02T12:00:00.001Z","actor":"meter"}`,
		},
		{"copied, none", noon + 1, ``, `{"at":"2026-01-02T12:00:00.000Z","recorded_at":"2026-01-02T12:00:00.001Z"}`},
		{"an empty object", 0, `{}`, `{"at":"2026-01-02T12:00:00.000Z","bytes":"e30="}`},
		{"no object", 0, `[1]`, `{"at":"2026-01-02T12:00:00.000Z","bytes":"WzFd"}`},
		{"no JSON", 0, "\x00", `{"at":"2026-01-02T12:00:00.000Z","bytes":"AA=="}`},
		{"what looks like our bytes", 0, `{"bytes":"x"}`, `{"at":"2026-01-02T12:00:00.000Z","bytes":"eyJieXRlcyI6IngifQ=="}`},
		{
			"what looks like our time", 0,
			`{"recorded_at":"2026-01-02T12:00:00.001Z"}`,
			`{"at":"2026-01-02T12:00:00.000Z","bytes":"eyJyZWNvcmRlZF9hdCI6IjIwMjYtMDEtMDJUMTI6MDA6MDAuMDAxWiJ9"}`,
		},
		{"the same name later", 0, `{"a":1,"bytes":"x"}`, `{"at":"2026-01-02T12:00:00.000Z","a":1,"bytes":"x"}`},
		{"space at the end", 0, "{\"a\":1}\n", `{"at":"2026-01-02T12:00:00.000Z","bytes":"eyJhIjoxfQo="}`},
	} {
		got := encodeMeta(noon, test.recorded, []byte(test.meta))
		if string(got) != test.want {
			t.Errorf("%s: %s, want %s", test.what, got, test.want)
		}
		at, recorded, meta, err := decodeMeta(got)
		if err != nil || at != noon || recorded != test.recorded || string(meta) != test.meta {
			t.Errorf("%s: back comes %s, %s, %q, %v", test.what, at, recorded, meta, err)
		}
	}
}

func TestForeignMetadata(t *testing.T) {
	for _, text := range []string{
		``,
		`{}`,
		`{"at":1}`,
		`{"at":"2026-01-02T12:00:00Z"}`,
		`{"at":"2026-01-02T12:00:00.000Z"`,
		`{"at":"2026-13-02T12:00:00.000Z"}`,
		`{"at":"2026-01-02T12:00:00.000Z",`,
		`{"at":"2026-01-02T12:00:00.000Z","recorded_at":"x"}`,
		`{"at":"2026-01-02T12:00:00.000Z","bytes":"?"}`,
		`{"$correlationId":"c"}`,
	} {
		if at, recorded, meta, err := decodeMeta([]byte(text)); err == nil {
			t.Errorf("%s is read as %s, %s, %q", text, at, recorded, meta)
		}
	}
}

// What was encoded is decoded, whatever it is.
func FuzzMetadata(f *testing.F) {
	f.Add(int64(0), int64(0), []byte(`{"actor":"meter"}`))
	f.Add(int64(1), int64(2), []byte(`{"bytes":"e30="}`))
	f.Add(int64(instant.Max), int64(instant.Max), []byte("\xff"))
	f.Fuzz(func(t *testing.T, a, r int64, meta []byte) {
		at, recorded := clamp(a), clamp(r)
		gotAt, gotRecorded, got, err := decodeMeta(encodeMeta(at, recorded, meta))
		if err != nil || gotAt != at || gotRecorded != recorded || !bytes.Equal(got, meta) {
			t.Fatalf("%s, %s, %q became %s, %s, %q, %v", at, recorded, meta, gotAt, gotRecorded, got, err)
		}
	})
}

// What can be decoded at all is decoded without a panic, and encodes to what reads the same.
func FuzzDecodeMetadata(f *testing.F) {
	f.Add([]byte(`{"at":"2026-01-02T12:00:00.000Z","recorded_at":"2026-01-02T12:00:00.001Z","actor":"meter"}`))
	f.Add([]byte(`{"at":"2026-01-02T12:00:00.000Z","bytes":"e30="}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		at, recorded, meta, err := decodeMeta(b)
		if err != nil {
			return
		}
		gotAt, gotRecorded, got, err := decodeMeta(encodeMeta(at, recorded, meta))
		if err != nil || gotAt != at || gotRecorded != recorded || !bytes.Equal(got, meta) {
			t.Fatalf("%q: %s, %s, %q became %s, %s, %q, %v", b, at, recorded, meta, gotAt, gotRecorded, got, err)
		}
	})
}

func clamp(n int64) instant.Time {
	return min(max(instant.Time(n), instant.Min), instant.Max)
}
