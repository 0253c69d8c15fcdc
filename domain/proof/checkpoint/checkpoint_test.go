package checkpoint_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"sandglass/domain/proof/checkpoint"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "shop.example.org/log"

func key(t testing.TB, seed byte) *checkpoint.Key {
	t.Helper()
	k, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func vkey(t testing.TB, k *checkpoint.Key, origin string) string {
	t.Helper()
	v, err := k.VKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSignedAndOpened(t *testing.T) {
	for seed := range byte(50) { // the base64 of some keys has a + in it
		k := key(t, seed)
		text, err := k.Text(origin)
		if err != nil {
			t.Fatal(err)
		}
		again, err := checkpoint.ParseKey(text + "\n")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		c := checkpoint.Checkpoint{Origin: origin, Size: int64(seed), Root: tlog.Hash{seed}}
		msg, err := checkpoint.Sign(c, again)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := checkpoint.Open(msg, vkey(t, k, origin)); err != nil || got != c {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := checkpoint.Read(msg); err != nil || got != c {
			t.Errorf("read: %+v, %v", got, err)
		}
	}
}

func TestWhatIsNotSigned(t *testing.T) {
	k := key(t, 1)
	c := checkpoint.Checkpoint{Origin: origin, Size: 7, Root: tlog.Hash{1}}
	msg, err := checkpoint.Sign(c, k)
	if err != nil {
		t.Fatal(err)
	}
	for i := range msg {
		edited := bytes.Clone(msg)
		edited[i] ^= 1
		if got, err := checkpoint.Open(edited, vkey(t, k, origin)); err == nil {
			t.Fatalf("byte %d edited: %+v", i, got)
		}
	}
	for name, v := range map[string]string{
		"another key": vkey(t, key(t, 2), origin), "another name": vkey(t, k, "other.example.org"),
	} {
		if _, err := checkpoint.Open(msg, v); !errors.Is(err, checkpoint.ErrUnsigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = checkpoint.Open(msg, vkey(t, k, origin+"/fork/1/now"))
	if !errors.Is(err, checkpoint.ErrUnsigned) || !strings.HasSuffix(err.Error(), "/fork/1/now: it is of "+origin) {
		t.Errorf("by the key of a fork: %v", err)
	}
	if _, err := checkpoint.Open(msg, "no key"); err == nil {
		t.Error("opened by no key")
	}
	// A signer of another log's name that has the key, over the body of this one.
	text, _ := k.Text("other.example.org")
	other, err := note.NewSigner(text)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := note.Sign(&note.Note{Text: c.String()}, other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Open(foreign, vkey(t, k, "other.example.org")); !errors.Is(err, checkpoint.ErrUnsigned) {
		t.Errorf("of another origin: %v", err)
	}
}

// Cosigners may sign by what this build does not know.
func TestUnknownLinesAreIgnored(t *testing.T) {
	k := key(t, 1)
	c := checkpoint.Checkpoint{Origin: origin, Size: 7, Root: tlog.Hash{1}}
	msg, err := checkpoint.Sign(c, k)
	if err != nil {
		t.Fatal(err)
	}
	long := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{6}, 2424)) // of the size of ML-DSA-44
	head, sigs, _ := strings.Cut(string(msg), "\n\n")
	for _, with := range []string{
		head + "\n\n" + sigs + "— witness.example/w " + long + "\n",
		head + "\n\n" + "— " + origin + " " + long + "\n" + sigs, // of our name, of another key
	} {
		if got, err := checkpoint.Open([]byte(with), vkey(t, k, origin)); err != nil || got != c {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	good := checkpoint.Checkpoint{Origin: origin, Size: 7, Root: tlog.Hash{1}}.String()
	if _, err := checkpoint.Parse(good); err != nil {
		t.Fatal(err)
	}
	root := strings.Split(good, "\n")[2]
	for name, text := range map[string]string{
		"nothing": "", "two lines": origin + "\n7\n", "an extension": good + "more\n", "no end of line": strings.TrimSuffix(good, "\n"),
		"no origin": "\n7\n" + root + "\n", "a space": "a b\n7\n" + root + "\n", "a plus": "a+b\n7\n" + root + "\n",
		"an accent": "é\n7\n" + root + "\n", "below 0": origin + "\n-7\n" + root + "\n", "a sign": origin + "\n+7\n" + root + "\n",
		"a leading 0": origin + "\n07\n" + root + "\n", "not a number": origin + "\nx\n" + root + "\n",
		"too large": origin + "\n9223372036854775808\n" + root + "\n", "a short root": origin + "\n7\nAAAA\n",
		"bits that are left": origin + "\n7\n" + strings.Replace(root, "A=", "B=", 1) + "\n", "no base64": origin + "\n7\n?\n",
		"a long origin": strings.Repeat("a", checkpoint.MaxOrigin+1) + "\n7\n" + root + "\n",
	} {
		if c, err := checkpoint.Parse(text); !errors.Is(err, checkpoint.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	for name, msg := range map[string]string{
		"nothing": "", "too long": strings.Repeat("a", checkpoint.MaxNote+1), "no signatures": good,
	} {
		if c, err := checkpoint.Read([]byte(msg)); !errors.Is(err, checkpoint.ErrMalformed) {
			t.Errorf("read %s: %+v, %v", name, c, err)
		}
	}
	zeros := base64.StdEncoding.EncodeToString(make([]byte, 33))
	for _, text := range []string{"", "PRIVATE+KEY", "PRIVATE+KEY+a+00000000+" + zeros} {
		if _, err := checkpoint.ParseKey(text); err == nil {
			t.Errorf("the key %q was read", text)
		}
	}
	if _, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: "a b"}, key(t, 1)); !errors.Is(err, checkpoint.ErrMalformed) {
		t.Errorf("signed with a bad origin: %v", err)
	}
}

func TestInvalidOrigin(t *testing.T) {
	got := key(t, 1).Invalid()
	if checkpoint.CheckOrigin(got) != nil || !strings.HasPrefix(got, "sandglass.invalid/") || len(got) != 34 {
		t.Errorf("%q", got)
	}
	if key(t, 1).Invalid() != got || key(t, 2).Invalid() == got {
		t.Error("it is not the key's")
	}
}

// What is read is what would be written, and nothing that anybody writes ends the process.
func FuzzParse(f *testing.F) {
	k := key(f, 1)
	c := checkpoint.Checkpoint{Origin: origin, Size: 7, Root: tlog.Hash{1}}
	msg, err := checkpoint.Sign(c, k)
	if err != nil {
		f.Fatal(err)
	}
	v := vkey(f, k, origin)
	f.Add(string(msg))
	f.Add(c.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := checkpoint.Parse(text); err == nil && c.String() != text {
			t.Errorf("%q is read as %+v", text, c)
		}
		read, err := checkpoint.Read([]byte(text))
		opened, err2 := checkpoint.Open([]byte(text), v)
		if err2 == nil && (err != nil || read != opened || read != c) {
			t.Errorf("%q: %+v, %v; opened as %+v", text, read, err, opened)
		}
	})
}
