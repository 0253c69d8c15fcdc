package request_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/request"
	"sandglass/domain/resource"

	"pgregory.net/rapid"
)

var signer = request.Signer{Key: [32]byte{1, 2, 3}}

func TestADescriptionIsReadByWhoeverHasTheKey(t *testing.T) {
	other := request.Signer{Key: [32]byte{3, 2, 1}}
	rapid.Check(t, func(t *rapid.T) {
		id := resource.ID(rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?`).Draw(t, "id"))
		nonce := [8]byte(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "nonce"))
		text := signer.Describe(id, instant.Millis(rapid.Int64Range(0, 1<<50).Draw(t, "time")), nonce)
		if got, ours := signer.Read(text); got != id || !ours {
			t.Fatalf("%q names %q, ours: %t", text, got, ours)
		}
		if got, ours := other.Read(text); got != id || ours {
			t.Fatalf("by another key %q names %q, ours: %t", text, got, ours)
		}
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		changed := []byte(text)
		changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		if _, ours := signer.Read(string(changed)); ours {
			t.Fatalf("%q is ours, and was %q", changed, text)
		}
		if cut := text[:at]; cut != "" {
			if _, ours := signer.Read(cut); ours {
				t.Fatalf("%q is ours, and was %q", cut, text)
			}
		}
	})
}

// TestADescriptionSaysWhatTheLogWas: what it says is signed with the rest, is read by who says nothing, as do
// earlier builds, and fits into what lnd is given of it.
func TestADescriptionSaysWhatTheLogWas(t *testing.T) {
	said := checkpoint.Brief{Size: math.MaxInt64, Root: [checkpoint.BriefRoot]byte{1}}
	says := signer
	says.Log = func() string { return said.String() }
	longest := resource.ID(strings.Repeat("a", 64))
	text := says.Describe(longest, math.MaxInt64, [8]byte{1})
	if len(text) > 200 {
		t.Errorf("%q has %d bytes", text, len(text))
	}
	if id, ours := signer.Read(text); id != longest || !ours {
		t.Errorf("%q names %q, ours: %t", text, id, ours)
	}
	if b, ok := checkpoint.FindBrief(text); !ok || b != said {
		t.Errorf("%q has %v, %t", text, b, ok)
	}
	for i := range text {
		changed := []byte(text)
		changed[i] ^= 1
		if _, ours := signer.Read(string(changed)); ours {
			t.Errorf("%q is ours", changed)
		}
	}
	without := strings.Replace(text, said.String()+" · ", "", 1)
	if _, ours := signer.Read(without); ours || len(without) >= len(text) {
		t.Errorf("%q is ours", without)
	}
	says.Log = func() string { return "" }
	if got, want := says.Describe("vm-1", instant.Hour, [8]byte{1}), signer.Describe("vm-1", instant.Hour, [8]byte{1}); got != want {
		t.Errorf("with nothing to say it is %q, want %q", got, want)
	}
}

func TestASealIsOfItsTextAndKey(t *testing.T) {
	other := request.Signer{Key: [32]byte{3, 2, 1}}
	seal := signer.Seal("log 1 a")
	if len(seal) != 13 || seal != signer.Seal("log 1 a") || seal == signer.Seal("log 1 b") || seal == other.Seal("log 1 a") {
		t.Errorf("the seal is %s", seal)
	}
}

func TestDescriptionsOfOthers(t *testing.T) {
	ours := signer.Describe("vm-1", instant.Hour, [8]byte{1})
	for text, want := range map[string]resource.ID{
		"":                          "",
		"vm-1":                      "",
		"sandglass vm-1":            "vm-1", // of an earlier build
		"sandglass VM 1":            "",
		"sandglass ":                "",
		" · ":                       "",
		"vm-1 · 1 h · ":             "vm-1",
		"vm-1 · tag":                "vm-1",
		"-vm · 1 h · tag":           "",
		ours + " ":                  "vm-1",
		ours + "0":                  "vm-1",
		strings.ToUpper(ours):       "",
		"x" + ours:                  "xvm-1",
		ours + " · " + ours[1:]:     "vm-1",
		"sandglass " + ours:         "",
		strings.Repeat("a", 10_000): "",
	} {
		if id, isOurs := signer.Read(text); id != want || isOurs {
			t.Errorf("%.60q names %q, ours: %t; want %q, false", text, id, isOurs, want)
		}
	}
}

// Whatever a description is, what is ours is what we write.
func FuzzRead(f *testing.F) {
	f.Add(signer.Describe("vm-1", instant.Hour, [8]byte{1}))
	f.Add("sandglass vm-1")
	f.Add("vm-1 · 2h · log 1234567 Aippeebat6pa5MPl5F9-l3ESp-Y1k4IN · 4t1v0h8s6r3y7k9m2n5p8q1w3e")
	f.Add("vm-1 · 2 h · 4t1v0h8s6r3y7k9m2n5p8q1w3e")
	f.Fuzz(func(t *testing.T, text string) {
		id, ours := signer.Read(text)
		if id != "" && !resource.IsName(string(id)) {
			t.Errorf("%q names %q", text, id)
		}
		if _, again := signer.Read(text + "\n"); ours && again {
			t.Errorf("%q is ours with a line's end too", text)
		}
	})
}

// What is read is what would be written, and nothing else.
func FuzzDecode(f *testing.F) {
	addr := invoice("", "vm-1")
	addr.Key, addr.Address = "", "bcrt1q"
	f.Add(request.Encode(invoice("01", "vm-1")))
	f.Add(request.Encode(addr))
	f.Add([]byte(`{"payment":"ln-01"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := request.Decode(data)
		if err != nil {
			return
		}
		if again := request.Encode(r); !bytes.Equal(again, data) {
			t.Errorf("%s is read, and written as %s", data, again)
		}
		if r.Name() == "" {
			t.Errorf("%s has no name", data)
		}
		if _, err := request.Pack(r); err != nil && len(data) <= request.MaxBytes {
			t.Errorf("%s was kept, and can't be again: %v", data, err)
		}
	})
}
