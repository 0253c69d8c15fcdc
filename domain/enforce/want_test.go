package enforce_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"sandglass/domain/enforce"
)

func up() *enforce.Want {
	return &enforce.Want{
		ID: "vm-1", State: enforce.Up, Enforcer: "systemd", Unit: "app@.service", Until: 3_600_000, Boot: "b1", Generation: 7,
		Plan: "small", Host: "rack-7", PaidUntil: "2026-01-02T03:04:05.678Z",
		Params: map[string]string{"ssh_key": `ssh-ed25519 AAAA "me" <me@example.org> $HOME é`, "image": "debian"},
	}
}

func TestAWantIsReadAsItWasWritten(t *testing.T) {
	down := &enforce.Want{ID: "a", State: enforce.Down, Enforcer: "libvirt", Boot: "b1", Generation: 1, Plan: "p"}
	for _, w := range []*enforce.Want{up(), down} {
		b, err := w.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := enforce.ParseWant(w.ID, b)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := got.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%v\n%s\nbecame\n%s", err, b, again)
		}
		if got.Until != w.Until || got.Params["ssh_key"] != w.Params["ssh_key"] || got.PaidUntil != w.PaidUntil {
			t.Errorf("%+v became %+v", w, got)
		}
	}
}

// TestTheFormatOfAWant is what stands in the manual, and what a keeper of another build reads.
func TestTheFormatOfAWant(t *testing.T) {
	w := up()
	w.Params = map[string]string{"image": "debian"}
	b, err := w.Marshal()
	const want = `{
  "version": 1,
  "id": "vm-1",
  "state": "up",
  "enforcer": "systemd",
  "unit": "app@.service",
  "until": 3600000,
  "boot": "b1",
  "generation": 7,
  "plan": "small",
  "host": "rack-7",
  "paid_until": "2026-01-02T03:04:05.678Z",
  "params": {
    "image": "debian"
  }
}
`
	if err != nil || string(b) != want {
		t.Errorf("%v\n%s", err, b)
	}
}

func TestNoSuchWant(t *testing.T) {
	for why, change := range map[string]func(w *enforce.Want){
		"id with a slash":        func(w *enforce.Want) { w.ID = "../x" },
		"id with a dash":         func(w *enforce.Want) { w.ID = "-rf" },
		"no id":                  func(w *enforce.Want) { w.ID = "" },
		"no state":               func(w *enforce.Want) { w.State = "" },
		"state of an Is":         func(w *enforce.Want) { w.State = enforce.Unknown },
		"no enforcer":            func(w *enforce.Want) { w.Enforcer = "" },
		"enforcer with a path":   func(w *enforce.Want) { w.Enforcer, w.Unit = "../../bin/sh", "" },
		"no unit":                func(w *enforce.Want) { w.Unit = "" },
		"unit that is none":      func(w *enforce.Want) { w.Unit = "app.service" },
		"unit with an instance":  func(w *enforce.Want) { w.Unit = "app@x.service" },
		"unit with a path":       func(w *enforce.Want) { w.Unit = "a/b@.service" },
		"unit too long":          func(w *enforce.Want) { w.Unit = strings.Repeat("a", 180) + "@.service" + "@.service" },
		"unit of another":        func(w *enforce.Want) { w.Enforcer = "libvirt" },
		"up without an end":      func(w *enforce.Want) { w.Until = 0 },
		"an end before the boot": func(w *enforce.Want) { w.Until = -1 },
		"down with an end":       func(w *enforce.Want) { w.State = enforce.Down },
		"no boot":                func(w *enforce.Want) { w.Boot = "" },
		"boot of two lines":      func(w *enforce.Want) { w.Boot = "a\nb" },
		"no generation":          func(w *enforce.Want) { w.Generation = 0 },
		"no plan":                func(w *enforce.Want) { w.Plan = "" },
		"host":                   func(w *enforce.Want) { w.Host = "Rack" },
		"paid until":             func(w *enforce.Want) { w.PaidUntil = "tomorrow" },
		"param's name":           func(w *enforce.Want) { w.Params["LD_PRELOAD"] = "x" },
		"param with a tab":       func(w *enforce.Want) { w.Params["image"] = "a\tb" },
		"param with NUL":         func(w *enforce.Want) { w.Params["image"] = "a\x00b" },
		"param not UTF-8":        func(w *enforce.Want) { w.Params["image"] = "\xff" },
		"param too long":         func(w *enforce.Want) { w.Params["image"] = strings.Repeat("x", enforce.MaxParam+1) },
		"too many params": func(w *enforce.Want) {
			for i := range enforce.MaxParams {
				w.Params["p"+strings.Repeat("x", i)] = ""
			}
		},
		"too large": func(w *enforce.Want) {
			for _, p := range []string{"a", "b", "c", "d"} {
				w.Params[p] = strings.Repeat("x", enforce.MaxParam)
			}
		},
	} {
		w := up()
		change(w)
		if b, err := w.Marshal(); err == nil {
			t.Errorf("%s: it was written\n%s", why, b)
		}
	}
}

func TestADamagedWant(t *testing.T) {
	whole, err := up().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	text := string(whole)
	for why, b := range map[string]string{
		"nothing":                "",
		"half of it":             text[:len(text)/2],
		"no end of line":         strings.TrimSpace(text),
		"something behind it":    text + "{}",
		"twice":                  text + text,
		"on one line":            strings.ReplaceAll(text, "\n", ""),
		"another version":        strings.Replace(text, `"version": 1`, `"version": 2`, 1),
		"no version":             strings.Replace(text, "  \"version\": 1,\n", "", 1),
		"a field twice":          strings.Replace(text, `"state": "up"`, "\"state\": \"down\",\n  \"state\": \"up\"", 1),
		"a field of other case":  strings.Replace(text, `"state"`, `"State"`, 1),
		"a field not known":      strings.Replace(text, `"state"`, "\"mood\": \"up\",\n  \"state\"", 1),
		"a field of another":     strings.Replace(text, `"until": 3600000`, `"until": "3600000"`, 1),
		"a fraction":             strings.Replace(text, `3600000`, `3600000.0`, 1),
		"no end of time":         strings.Replace(text, "  \"until\": 3600000,\n", "", 1),
		"it lasts from nowhere":  strings.Replace(text, `"until": 3600000`, "\"until\": 3600000,\n  \"lasts_ms\": 5", 1),
		"zeros":                  strings.Repeat("\x00", len(text)),
		"another state":          strings.Replace(text, `"up"`, `"starting"`, 1),
		"too large":              text + strings.Repeat(" ", enforce.MaxSize),
		"null where a name goes": strings.Replace(text, `"rack-7"`, `null`, 1),
	} {
		if w, err := enforce.ParseWant("vm-1", []byte(b)); !errors.Is(err, enforce.ErrDamaged) {
			t.Errorf("%s: %+v, %v", why, w, err)
		}
	}
	if _, err := enforce.ParseWant("vm-2", whole); !errors.Is(err, enforce.ErrDamaged) {
		t.Errorf("the want of another resource: %v", err)
	}
}

func TestIs(t *testing.T) {
	i := &enforce.Is{
		ID: "vm-1", State: enforce.Down, Since: 5, Boot: "b1", Generation: 7, Tries: 3, Invocation: "run",
		Why: "exit 1:\n\tno \x00memory\xff" + strings.Repeat("é", 600),
	}
	b, err := i.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := enforce.ParseIs("vm-1", b)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.Why, "exit 1: no  memory?é") || len(got.Why) > 500 || got.Tries != 3 || got.Since != 5 {
		t.Errorf("%+v", got)
	}
	for why, change := range map[string]func(i *enforce.Is){
		"no id":         func(i *enforce.Is) { i.ID = "" },
		"no state":      func(i *enforce.Is) { i.State = "" },
		"no boot":       func(i *enforce.Is) { i.Boot = "" },
		"since":         func(i *enforce.Is) { i.Since = -1 },
		"generation":    func(i *enforce.Is) { i.Generation = -1 },
		"tries":         func(i *enforce.Is) { i.Tries = -1 },
		"an invocation": func(i *enforce.Is) { i.Invocation = "a\nb" },
	} {
		c := *i
		change(&c)
		if b, err := c.Marshal(); err == nil {
			t.Errorf("%s: it was written\n%s", why, b)
		}
	}
	if _, err := enforce.ParseIs("vm-1", bytes.Replace(b, []byte("down"), []byte("idle"), 1)); !errors.Is(err, enforce.ErrDamaged) {
		t.Error(err)
	}
}

// FuzzParse: whatever is read is written again byte for byte, and is within its bounds.
func FuzzParse(f *testing.F) {
	want, err := up().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	is, err := (&enforce.Is{ID: "vm-1", State: enforce.Up, Since: 1, Boot: "b1", Generation: 1}).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(want)
	f.Add(is)
	f.Fuzz(func(t *testing.T, b []byte) {
		if w, err := enforce.ParseWant("vm-1", b); err == nil {
			if again, err := w.Marshal(); err != nil || !bytes.Equal(again, b) {
				t.Errorf("%v: %s", err, again)
			}
			if w.State == enforce.Up && w.Until <= 0 || w.ID != "vm-1" || len(b) > enforce.MaxSize {
				t.Errorf("%+v was read", w)
			}
		}
		if i, err := enforce.ParseIs("vm-1", b); err == nil {
			if again, err := i.Marshal(); err != nil || !bytes.Equal(again, b) {
				t.Errorf("%v: %s", err, again)
			}
		}
	})
}
