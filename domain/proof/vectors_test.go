package proof_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/proof"
	"sandglass/domain/stream"

	"golang.org/x/mod/sumdb/tlog"
)

var update = flag.Bool("update", false, "write testdata/vectors.json")

// vectors are what a verifier has to come to. Bytes are in hexadecimal.
type vectors struct {
	Events      []vector `json:"events"`
	Roots       []string `json:"roots"` // of the first 0, 1, 2 … events
	Inclusion   proofs   `json:"inclusion"`
	Consistency proofs   `json:"consistency"`
}

// vector is one event. The fields of its form follow the order in which they stand in it.
type vector struct {
	ID         string `json:"id"`
	Stream     string `json:"stream"`
	Revision   int64  `json:"revision"`
	Type       string `json:"type"`
	At         int64  `json:"at_ms"`
	RecordedAt int64  `json:"recorded_at_ms"` // as the store has it
	Latest     int64  `json:"latest_recorded_at_ms"`
	Data       string `json:"data"`
	Meta       string `json:"meta"`
	Form       string `json:"form,omitempty"` // left out where it is long
	Entry      string `json:"entry"`
	Leaf       string `json:"leaf"`
}

type proofs struct {
	Index  int64    `json:"index,omitempty"`
	Old    int64    `json:"old,omitempty"`
	Size   int64    `json:"size"`
	Hashes []string `json:"hashes"`
}

// edges are events with each value that a store takes at its bounds.
func edges() []stream.Record {
	made := instant.Time(1_767_323_045_678)
	rec := func(id byte, name string, rev stream.Revision, typ string, at, recorded instant.Time, data, meta string) stream.Record {
		e := stream.Event{Type: typ, At: at, Data: []byte(data), Meta: []byte(meta)}
		for i := range e.ID {
			e.ID[i] = id * byte(i)
		}
		return stream.Record{Event: e, Stream: name, Revision: rev, RecordedAt: recorded}
	}
	const typ, meta = "resource.credited.v1", `{"actor":"watcher"}`
	return []stream.Record{
		rec(0, "plan-vm", 0, "plan.published.v1", instant.Min, instant.Min, `{}`, ``),
		rec(1, "resource-web-1", 0, "resource.opened.v1", made, made, `{"plan":"vm"}`, meta),
		rec(17, "resource-web-1", 1, typ, made, made+5, `{"amount_msat":9223372036854775807}`, meta),
		rec(255, "resource-web-1", 2, typ, made+5, made+3, `{"note":"the clock went back"}`, meta), // made+5 counts
		rec(2, "resource-web-1", 3, typ, made+5, made+5, `{"note":"<&> \u0000 \u00e9 é 💧"}`, `{}`),
		rec(3, strings.Repeat("s", stream.MaxName), 1<<53+1, strings.Repeat("t", stream.MaxName), made, made+6, `{}`, meta),
		rec(4, "s", 1<<63-1, "t", instant.Max, made+6, `{"x":"`+strings.Repeat("a", 1<<10)+`"}`, strings.Repeat(" ", 300)),
		rec(5, "st", 0, "", made, made+7, ``, `{}`), // no two divide the same bytes in other ways
		rec(5, "s", 0, "t", made, made+7, ``, `{}`),
		rec(5, "s", 0, "t", made, made+7, `{}`, ``),
		rec(6, "a:b-c.d_e", 0, "t", made, made+8, "\x00\xff", "\n"),
		rec(7, "s", 1, "t", made, instant.Max, `{}`, meta),
		rec(8, "s", 2, "t", made, made, `{}`, meta),
	}
}

func TestVectors(t *testing.T) {
	const path = "testdata/vectors.json"
	got, err := json.MarshalIndent(told(t, edges()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != string(got)+"\n" {
		t.Errorf("what is told of the edges is not %s: %v", path, err)
	}
}

func hexes(hashes []proof.Hash) (texts []string) {
	for i := range hashes {
		texts = append(texts, hex.EncodeToString(hashes[i][:]))
	}
	return texts
}

func told(t *testing.T, recs []stream.Record) (v vectors) {
	var h proof.Hasher
	var tree proof.Tree
	var all stored
	v.Roots = hexes([]proof.Hash{tree.Root()})
	for i := range recs {
		r := &recs[i]
		entry := h.Add(r)
		if entry != proof.Entry(r, h.Recorded) {
			t.Errorf("the entry of event %d depends on who makes it", i)
		}
		form := hex.EncodeToString(proof.AppendForm(nil, r, h.Recorded))
		if len(form) > 600 {
			form = ""
		}
		hashes := hexes([]proof.Hash{entry, proof.Leaf(entry)})
		v.Events = append(v.Events, vector{
			hex.EncodeToString(r.ID[:]), r.Stream, int64(r.Revision), r.Type, int64(r.At), int64(r.RecordedAt), int64(h.Recorded),
			hex.EncodeToString(r.Data), hex.EncodeToString(r.Meta), form, hashes[0], hashes[1],
		})
		all.add(t, int64(i), entry)
		tree.Append(entry)
		v.Roots = append(v.Roots, hexes([]proof.Hash{tree.Root()})...)
	}
	size := int64(len(recs))
	in, err := tlog.ProveRecord(size, 4, all)
	if err != nil {
		t.Fatal(err)
	}
	goesOn, err := tlog.ProveTree(size, 6, all)
	if err != nil {
		t.Fatal(err)
	}
	v.Inclusion = proofs{Index: 4, Size: size, Hashes: hexes(in)}
	v.Consistency = proofs{Old: 6, Size: size, Hashes: hexes(goesOn)}
	return v
}
