package checkpoint_test

import (
	"math"
	"strings"
	"testing"

	"sandglass/domain/proof/checkpoint"

	"golang.org/x/mod/sumdb/tlog"
)

func TestABriefIsFoundWhereItStands(t *testing.T) {
	point := checkpoint.Checkpoint{Origin: "shop.example.org/log", Size: 1_234_567, Root: tlog.RecordHash([]byte("a"))}
	b := point.Brief()
	const text = "log 1234567 Aippeebat6pa5MPl5F9-l3ESp-Y1k4IN"
	if b.String() != text {
		t.Fatalf("it is %s", b)
	}
	if full := b.Full(); full.Size != point.Size || full.Origin != "" || full.Brief() != b {
		t.Errorf("in full it is %+v", full)
	}
	for _, in := range []string{
		text, "web-1 · 2h · " + text + " · 4t1v0h8s6r3y7k9m2n5p8q1w3e", "log · 2h · " + text + " · x",
		`[["text/plain","web-1 at pay.example.org · ` + text + `"],["text/identifier","web-1@pay.example.org"]]`,
		text + " · log 12 AAAA",
	} {
		if got, ok := checkpoint.FindBrief(in); !ok || got != b {
			t.Errorf("%q has %+v, %t", in, got, ok)
		}
	}
	largest := checkpoint.Brief{Size: math.MaxInt64, Root: b.Root}
	if got, ok := checkpoint.FindBrief(largest.String()); !ok || got != largest {
		t.Errorf("of the largest there is %+v, %t", got, ok)
	}
	for _, in := range []string{
		"", "web-1 · 2h · 4t1v0h8s6r3y7k9m2n5p8q1w3e", "x" + text, text + "A", text[:len(text)-1], strings.ToUpper(text),
		text + " · " + text, strings.Replace(text, "1234567", "0", 1), strings.Replace(text, "1234567", "01", 1),
		strings.Replace(text, "1234567", "9223372036854775808", 1), strings.Replace(text, " A", "  A", 1),
		strings.Replace(text, "1234567", "-1", 1), strings.Replace(text, "F9", "F+", 1), text + " " + text,
	} {
		if got, ok := checkpoint.FindBrief(in); ok {
			t.Errorf("%q has %+v", in, got)
		}
	}
}

// What is found in a text is what it says.
func FuzzFindBrief(f *testing.F) {
	f.Add("web-1 · 2h · log 1234567 Aippeebat6pa5MPl5F9-l3ESp-Y1k4IN · 4t1v0h8s6r3y7k9m2n5p8q1w3e")
	f.Add(`[["text/plain","a at b · log 1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]]`)
	f.Fuzz(func(t *testing.T, text string) {
		b, ok := checkpoint.FindBrief(text)
		if ok && (b.Size < 1 || !strings.Contains(text, b.String())) {
			t.Errorf("%q has %s", text, b)
		}
		if again, found := checkpoint.FindBrief(b.String()); ok && (!found || again != b) {
			t.Errorf("%s has %+v, %t", b, again, found)
		}
	})
}
