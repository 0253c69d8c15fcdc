package token_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"sandglass/adapters/l402/token"
	"sandglass/domain/resource"

	"pgregory.net/rapid"
)

var mint = token.Mint{Secret: [32]byte{1}}

func make32(t *rapid.T, name string) [32]byte {
	return [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name))
}

// TestWhatIsMadeIsRead by every daemon with the secret, and by no other; its holder key is no other token's.
func TestWhatIsMadeIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		preimage := make32(t, "preimage")
		made := token.Token{
			ID: make32(t, "id"), Hash: sha256.Sum256(preimage[:]),
			Resource: resource.ID(rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?`).Draw(t, "resource")),
			Request:  rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "request"),
			Added:    rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,10}=[ -~]{0,40}`), 0, 4).Draw(t, "added"),
		}
		for i := range made.Added {
			made.Added[i] = "x" + made.Added[i]
		}
		text := token.Text(mint.Make(&made))
		proof := "L402 " + text + ":" + hex.EncodeToString(preimage[:])
		other := token.Mint{Secret: mint.Secret}
		got, err := other.Read(proof)
		if err != nil || got.ID != made.ID || got.Hash != made.Hash || got.Resource != made.Resource || got.Request != made.Request ||
			strings.Join(got.Added, "|") != strings.Join(made.Added, "|") {
			t.Fatalf("%+v, %v", got, err)
		}
		if got.Narrowed() != false || got.Allows("status", 0) != nil {
			t.Fatalf("it is narrowed: %+v", got)
		}
		stranger := token.Mint{Secret: make32(t, "another secret")}
		if got, err := stranger.Read(proof); err == nil && stranger.Secret != mint.Secret {
			t.Fatalf("%+v by another secret", got)
		}
		of, key := mint.HolderKey(made.ID)
		again, same := other.HolderKey(made.ID)
		elsewhere, another := mint.HolderKey(made.Hash)
		if of != again || key != same || of == elsewhere || key == another || mint.Seed(made.ID) == mint.Seed(made.Hash) {
			t.Fatalf("%s %s, %s %s, %s %s", of, key, again, same, elsewhere, another)
		}
	})
}

// FuzzRead: nothing that a client can send is taken for what we signed, or ends the daemon.
func FuzzRead(f *testing.F) {
	made := token.Text(mint.Make(&token.Token{Resource: "web-1", Request: "00"}))
	for _, scheme := range []string{"L402 ", "LSAT ", "Payment ", "Bearer ", ""} {
		for _, rest := range []string{
			made + ":" + strings.Repeat("0", 64), made, ":", "", "AgE:00", "AAAA,BBBB:00", "e30", "eyJjaGFsbGVuZ2UiOnt9fQ",
		} {
			f.Add(scheme + rest)
		}
	}
	f.Fuzz(func(t *testing.T, authorization string) {
		if c, err := mint.Read(authorization); err == nil { // whose preimage nobody knows
			t.Errorf("%q is a credential: %+v", authorization, c)
		}
		token.Is(authorization)
	})
}
