package token_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sandglass/adapters/cashu/token"

	"github.com/fxamacker/cbor/v2"
)

// Of NUT-00: tokens that every implementation reads alike.
const (
	textA = "cashuAeyJ0b2tlbiI6W3sibWludCI6Imh0dHBzOi8vODMzMy5zcGFjZTozMzM4IiwicHJvb2ZzIjpbeyJhbW91bnQiOjIsImlkIjoiMDA5YTFmMjkz" +
		"MjUzZTQxZSIsInNlY3JldCI6IjQwNzkxNWJjMjEyYmU2MWE3N2UzZTZkMmFlYjRjNzI3OTgwYmRhNTFjZDA2YTZhZmMyOWUyODYxNzY4YTc4MzciLCJD" +
		"IjoiMDJiYzkwOTc5OTdkODFhZmIyY2M3MzQ2YjVlNDM0NWE5MzQ2YmQyYTUwNmViNzk1ODU5OGE3MmYwY2Y4NTE2M2VhIn0seyJhbW91bnQiOjgsImlk" +
		"IjoiMDA5YTFmMjkzMjUzZTQxZSIsInNlY3JldCI6ImZlMTUxMDkzMTRlNjFkNzc1NmIwZjhlZTBmMjNhNjI0YWNhYTNmNGUwNDJmNjE0MzNjNzI4YzcwN" +
		"TdiOTMxYmUiLCJDIjoiMDI5ZThlNTA1MGI4OTBhN2Q2YzA5NjhkYjE2YmMxZDVkNWZhMDQwZWExZGUyODRmNmVjNjlkNjEyOTlmNjcxMDU5In1dfV0sInVu" +
		"aXQiOiJzYXQiLCJtZW1vIjoiVGhhbmsgeW91LiJ9"
	textB = "cashuBpGF0gaJhaUgArSaMTR9YJmFwgaNhYQFhc3hAOWE2ZGJiODQ3YmQyMzJiYTc2ZGIwZGYxOTcyMTZiMjlkM2I4Y2MxNDU1M2NkMjc4Mjdm" +
		"YzFjYzk0MmZlZGI0ZWFjWCEDhhhUP_trhpXfStS6vN6So0qWvc2X3O4NfM-Y1HISZ5JhZGlUaGFuayB5b3VhbXVodHRwOi8vbG9jYWxob3N0Oj" +
		"MzMzhhdWNzYXQ"
)

func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		textA:            "https://8333.space:3338 sat 10 2 009a1f293253e41e",
		textA + "=":      "https://8333.space:3338 sat 10 2 009a1f293253e41e",
		"cashu:" + textB: "http://localhost:3338 sat 1 1 00ad268c4d1f5826",
		strings.NewReplacer("-", "+", "_", "/").Replace(textB) + "==": "http://localhost:3338 sat 1 1 00ad268c4d1f5826",
	} {
		got, err := token.Read(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		said := fmt.Sprintf("%s %s %d %d %s", got.Mint, got.Unit, got.Sum(), len(got.Proofs), got.Proofs[0].Keyset)
		if said != want {
			t.Errorf("%s is read as %s", text, said)
		}
	}
}

// proof is one of many.
func proof(i int, amount any) map[string]any {
	return map[string]any{"a": amount, "s": fmt.Sprintf("secret %d", i), "c": append([]byte{2}, make([]byte, 32)...)}
}

func text(t testing.TB, mint, unit string, proofs ...map[string]any) string {
	t.Helper()
	b, err := cbor.Marshal(map[string]any{"m": mint, "u": unit, "t": []any{map[string]any{"i": make([]byte, 8), "p": proofs}}})
	if err != nil {
		t.Fatal(err)
	}
	return "cashuB" + base64.RawURLEncoding.EncodeToString(b)
}

func many(n int, amount any) (all []map[string]any) {
	for i := range n {
		all = append(all, proof(i, amount))
	}
	return all
}

func TestRefused(t *testing.T) {
	const mint = "https://mint.example.org"
	bad := proof(1, 1)
	bad["c"] = []byte{2}
	var deep any = 1
	for range 40 {
		deep = []any{deep}
	}
	nested, _ := cbor.Marshal(deep)
	for name, s := range map[string]string{
		"nothing": "", "another prefix": "cashuC" + textA[6:], "base64": "cashuA!", "JSON": "cashuAe30x", "empty JSON": "cashuAe30",
		"CBOR": "cashuBAA", "nested": "cashuB" + base64.RawURLEncoding.EncodeToString(nested), "no proofs": text(t, mint, "sat"),
		"a repeated proof": text(t, mint, "sat", proof(1, 1), proof(1, 1)), "C": text(t, mint, "sat", bad),
		"no mint": text(t, "", "sat", proof(1, 1)), "10,000 proofs": text(t, mint, "sat", many(10_000, 1)...),
		"one too many": text(t, mint, "sat", many(token.MaxProofs+1, 1)...), "too long": textA + strings.Repeat("A", token.MaxText),
		"0": text(t, mint, "sat", proof(1, 0)), "below 0": text(t, mint, "sat", proof(1, -1)),
		"2^64-1": text(t, mint, "sat", proof(1, uint64(1<<64-1))), "2^63": text(t, mint, "sat", many(2, uint64(1<<63))...),
		"a sum beyond all": text(t, mint, "sat", many(2, token.MaxSat)...),
		"two mints": "cashuA" + base64.RawURLEncoding.EncodeToString([]byte(
			`{"token":[{"mint":"https://a.example","proofs":[]},{"mint":"https://b.example","proofs":[]}]}`)),
	} {
		_, err := token.Read(s)
		if no, ok := errors.AsType[*token.Error](err); !ok || no.Why == "" || strings.Contains(no.Why, "secret 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := token.Read(text(t, mint+"/", "sat", many(token.MaxProofs, 1)...)); err != nil {
		t.Errorf("the most that there can be: %v", err)
	}
}

// TestHash: a token has one name, however it is written, and no other token has it.
func TestHash(t *testing.T) {
	const mint = "https://mint.example.org"
	read := func(s string) *token.Token {
		got, err := token.Read(s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	one := read(text(t, mint, "sat", proof(1, 4), proof(2, 8)))
	proofs, _ := json.Marshal(one.Proofs)
	again := read("cashuA" + base64.StdEncoding.EncodeToString(
		fmt.Appendf(nil, `{"token":[{"mint":%q,"proofs":%s}]}`, mint+"/", proofs)))
	if one.Hash() != again.Hash() || one.Hash() != read(text(t, mint, "sat", proof(2, 8), proof(1, 4))).Hash() {
		t.Error("it has two names")
	}
	for _, other := range []string{text(t, mint, "sat", proof(1, 4)), text(t, mint, "sat", proof(1, 4), proof(3, 8))} {
		if read(other).Hash() == one.Hash() {
			t.Error("two have a name")
		}
	}
}

// TestAsked: as NUT-18 has it. That wallets read it is tested in testutil/clients.
func TestAsked(t *testing.T) {
	got := token.Asked{Amount: 7_300, Unit: "sat", Mints: []string{"https://mint.example.org"}}.Text()
	of, ok := strings.CutPrefix(got, "creqA")
	raw, err := base64.URLEncoding.DecodeString(of)
	want := "a3" + "6161" + "191c84" + "6175" + "63736174" + "616d" + "8178" + "18" +
		hex.EncodeToString([]byte("https://mint.example.org"))
	if !ok || err != nil || hex.EncodeToString(raw) != want {
		t.Errorf("%s is %x, %v, want %s", got, raw, err, want)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(textA)
	f.Add(textB)
	f.Add(text(f, "https://mint.example.org", "sat", proof(1, 1)))
	f.Fuzz(func(t *testing.T, s string) {
		got, err := token.Read(s)
		if _, ok := errors.AsType[*token.Error](err); err != nil && !ok {
			t.Fatalf("%v is no reason for whoever sent it", err)
		}
		if err == nil && (got.Sum() < 1 || got.Sum() > token.MaxSat || len(got.Proofs) > token.MaxProofs || got.Mint == "") {
			t.Errorf("%q is %+v", s, got)
		}
	})
}
