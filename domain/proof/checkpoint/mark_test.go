package checkpoint_test

import (
	"bytes"
	"math"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
)

func TestMark(t *testing.T) {
	at, err := instant.Parse("2026-11-28T20:01:02.123Z")
	if err != nil {
		t.Fatal(err)
	}
	m := checkpoint.Mark{Events: 1234, At: at}
	for _, own := range [][]byte{nil, []byte("shop.example.org/log\n7\nroot\n\n— shop c2ln\n"), bytes.Repeat([]byte("x"), 1000)} {
		note := m.Note(own)
		if got, is, marked := checkpoint.Marked(note); !marked || is != m || !bytes.Equal(got, own) {
			t.Errorf("%q: %q, %+v, %t", note, got, is, marked)
		}
		if err := checkpoint.CheckNote(note); err != nil {
			t.Error(err)
		}
		if _, err := checkpoint.Read(note); err == nil {
			t.Errorf("%q is a checkpoint", note)
		}
		if got, _, marked := checkpoint.Marked(own); marked || !bytes.Equal(got, own) {
			t.Errorf("%q is marked: %q", own, got)
		}
	}
	large := m.Note(bytes.Repeat([]byte("x"), checkpoint.MaxNote))
	if own, is, marked := checkpoint.Marked(large); !marked || is != m || own != nil || checkpoint.CheckNote(large) != nil {
		t.Errorf("%q, %+v, %t", own, is, marked)
	}
	if _, is, marked := checkpoint.Marked([]byte("put back by somebody\n")); !marked || is.Events != math.MaxInt64 {
		t.Errorf("damaged, it is %+v, %t", is, marked)
	}
}
