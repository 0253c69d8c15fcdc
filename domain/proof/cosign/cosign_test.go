package cosign_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"

	"golang.org/x/mod/sumdb/note"
)

const origin = "shop.example.org/log"

// at is when the witnesses sign.
const at instant.Time = 1_795_000_000_000

// log returns a log's public key and a checkpoint that it signed.
func log(t testing.TB, size int64) (vkey string, signed []byte) {
	t.Helper()
	k, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	vkey, err = k.VKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	signed, err = checkpoint.Sign(checkpoint.Checkpoint{Origin: origin, Size: size, Root: [32]byte{9}}, k)
	if err != nil {
		t.Fatal(err)
	}
	return vkey, signed
}

// witness returns what cosigns, and its public key.
func witness(t testing.TB, name string, seed byte) (note.Signer, *cosign.Witness) {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	s, err := cosign.Signer(name, private, func() instant.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	w, err := cosign.ParseWitness(s.(interface{ String() string }).String())
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

// with returns a note with the signatures of some more.
func with(t testing.TB, msg []byte, signers ...note.Signer) []byte {
	t.Helper()
	head, _, _ := strings.Cut(string(msg), "\n\n")
	cosigned, err := note.Sign(&note.Note{Text: head + "\n"}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(cosigned), "\n\n")
	return append(bytes.Clone(msg), lines...)
}

func TestCosigned(t *testing.T) {
	vkey, msg := log(t, 7)
	s1, w1 := witness(t, "w.example/1", 11)
	s2, w2 := witness(t, "w.example/2", 12)
	stranger, _ := witness(t, "w.example/3", 13)
	for quorum := range 3 {
		p, err := cosign.NewPolicy(vkey, quorum, w1, w2)
		if err != nil {
			t.Fatal(err)
		}
		for n, signers := range [][]note.Signer{{stranger}, {stranger, s2}, {s1, stranger, s2}} {
			c, lines, err := p.Open(with(t, msg, signers...))
			enough := n >= quorum
			if c.Size != 7 || len(lines) != n || enough != (err == nil) || !enough && !errors.Is(err, cosign.ErrQuorum) {
				t.Errorf("quorum %d, cosigned by %d: %+v, %d lines, %v", quorum, n, c, len(lines), err)
			}
			for _, line := range lines {
				if line.At != at || !strings.HasPrefix(line.Text, "— "+line.Witness.Name()+" ") {
					t.Errorf("%+v", line)
				}
			}
		}
	}
}

// No byte of a cosignature can be another, nor what it is of.
func TestWhatIsNotCosigned(t *testing.T) {
	vkey, msg := log(t, 7)
	s, w := witness(t, "w.example/1", 11)
	p, err := cosign.NewPolicy(vkey, 1, w)
	if err != nil {
		t.Fatal(err)
	}
	whole := with(t, msg, s)
	for i := range whole {
		edited := bytes.Clone(whole)
		edited[i] ^= 1
		if c, _, err := p.Open(edited); err == nil {
			t.Fatalf("byte %d edited: %+v", i, c)
		}
	}
	_, other := log(t, 8)
	_, lines, _ := strings.Cut(string(with(t, msg, s)), "\n\n")
	line := strings.SplitAfter(lines, "\n")[1]
	if c, _, err := p.Open(append(other, line...)); err == nil {
		t.Errorf("cosigned for another checkpoint: %+v", c)
	}
	impostor, _ := witness(t, "w.example/1", 14)
	if _, lines, err := p.Open(with(t, msg, impostor)); !errors.Is(err, cosign.ErrQuorum) || len(lines) != 0 {
		t.Errorf("cosigned by another of that name: %v, %v", lines, err)
	}
	if _, lines, err := p.Open(with(t, whole, s)); err != nil || len(lines) != 1 {
		t.Errorf("twice by one: %v, %v", lines, err)
	}
	never, err := cosign.Signer("w.example/1", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{11}, 32)),
		func() instant.Time { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Open(with(t, msg, never)); err == nil {
		t.Error("cosigned at no time")
	}
}

func TestKeysOfWitnesses(t *testing.T) {
	_, w := witness(t, "w.example/1", 11)
	vkey, _ := log(t, 7)
	good := w.String()
	if again, err := cosign.ParseWitness(good); err != nil || again.String() != good {
		t.Fatalf("%v, %v", again, err)
	}
	for name, text := range map[string]string{
		"nothing": "", "a log's key": vkey, "a name alone": "w.example/1", "another name": "x" + good,
		"another id": strings.Replace(good, "+", "+0", 1), "cut": good[:len(good)-4], "a space": "w " + good,
	} {
		if w, err := cosign.ParseWitness(text); !errors.Is(err, cosign.ErrKey) {
			t.Errorf("%s: %v, %v", name, w, err)
		}
	}
}

func TestPolicies(t *testing.T) {
	vkey, msg := log(t, 7)
	s1, w1 := witness(t, "w.example/1", 11)
	s2, w2 := witness(t, "w.example/2", 12)
	s3, w3 := witness(t, "w.example/3", 13)
	head := "log " + vkey + " https://shop.example.org/log/0/ # ours\n\nwitness a " + w1.String() +
		"\nwitness b " + w2.String() + " https://w.example\nwitness c " + w3.String() + "\n"
	for _, test := range []struct {
		rest string
		by   []note.Signer
		ok   bool
	}{
		{"quorum none", nil, true},
		{"quorum a", nil, false},
		{"quorum a", []note.Signer{s1}, true},
		{"quorum a", []note.Signer{s2, s3}, false},
		{"group g any a b\nquorum g", []note.Signer{s2}, true},
		{"group g all a b\nquorum g", []note.Signer{s2}, false},
		{"group g 2 a b c\nquorum g", []note.Signer{s1, s3}, true},
		{"group g any a b\ngroup h all g c\nquorum h", []note.Signer{s1, s3}, true},
		{"group g any a b\ngroup h all g c\nquorum h", []note.Signer{s1, s2}, false},
	} {
		p, err := cosign.ParsePolicy(head + test.rest)
		if err != nil {
			t.Fatalf("%s: %v", test.rest, err)
		}
		signed := msg
		if len(test.by) > 0 {
			signed = with(t, msg, test.by...)
		}
		if _, _, err := p.Open(signed); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.rest, err)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "no quorum": head, "no log": "quorum none", "two logs": head + "log " + vkey + "\nquorum none",
		"two quorums":    head + "quorum a\nquorum none",
		"an unknown one": head + "quorum d", "no such member": head + "group g any d\nquorum g",
		"too many of them": head + "group g 3 a b\nquorum g", "none of them": head + "group g 0 a b\nquorum g",
		"a name twice": head + "group a any b\nquorum a", "the name none": head + "group none any b\nquorum none",
		"a key twice": head + "witness d " + w1.String() + "\nquorum a", "a word": head + "trust me\nquorum a",
		"a log as witness": head + "witness d " + vkey + "\nquorum a", "a witness as log": "log " + w1.String() + "\nquorum none",
		"long": head + "quorum none\n" + strings.Repeat("#", cosign.MaxPolicy),
	} {
		if _, err := cosign.ParsePolicy(text); !errors.Is(err, cosign.ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What somebody else writes ends no process.
func FuzzPolicy(f *testing.F) {
	vkey, msg := log(f, 7)
	s, w := witness(f, "w.example/1", 11)
	whole := with(f, msg, s)
	f.Add("log "+vkey+"\nwitness a "+w.String()+"\ngroup g any a\nquorum g", whole)
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, text string, msg []byte) {
		if _, err := cosign.Lines(msg, []*cosign.Witness{w}); err == nil && len(msg) == 0 {
			t.Error("nothing has lines")
		}
		p, err := cosign.ParsePolicy(text)
		if err != nil {
			return
		}
		if c, _, err := p.Open(whole); err == nil && (c.Size != 7 || p.Log != vkey) {
			t.Errorf("%q opens the checkpoint as %+v", text, c)
		}
	})
}
