package show

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestNothingSteersTheTerminal(t *testing.T) {
	for text, want := range map[string]string{
		"a small one, für 1 €, می\u200cخواهم 👩‍💻": "a small one, für 1 €, می\u200cخواهم 👩‍💻",
		"\x1b[2Jsmall":      `\x1b[2Jsmall`,
		"\u009b2Jsmall\x7f": `\u009b2Jsmall\x7f`,
		"small\r\n\tlarge":  `small\r\n\tlarge`,
		"\u202ellams\u2028": `\u202ellams\u2028`,
		"no \xff text":      "no \uFFFD text",
		"no \xff text\x00":  "no \uFFFD text\\x00",
	} {
		if got := Escape(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
		var b strings.Builder
		if err := Facts(&b, "title", text); err != nil || b.String() != "title  "+want+"\n" {
			t.Errorf("%q is shown as %q, %v", text, b.String(), err)
		}
		if got := Cells("small", text); got != "small\t"+want {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	if got := EscapeLines("one\n\x1btwo"); got != "one\n\\x1btwo" {
		t.Errorf("got %q", got)
	}
}

// TestJSONAtATerminalIsTheSameJSON: escaped in another way.
func TestJSONAtATerminalIsTheSameJSON(t *testing.T) {
	var b strings.Builder
	value := []string{"\x1b[2J", "\u009b2J", "\u202e", "\x7f", "€"}
	if err := json.NewEncoder(escaper{&b}).Encode(value); err != nil {
		t.Fatal(err)
	}
	if want := `["\u001b[2J","\u009b2J","\u202e","\u007f","€"]` + "\n"; b.String() != want {
		t.Errorf("got %s", b.String())
	}
	var again []string
	if err := json.Unmarshal([]byte(b.String()), &again); err != nil || strings.Join(again, ",") != strings.Join(value, ",") {
		t.Errorf("got %q, %v", again, err)
	}
}
