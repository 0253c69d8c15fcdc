package access_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/enforce"
	"sandglass/domain/enforce/access"
)

// host is a keeper's: what is wanted and what is, by id.
type host struct {
	wants map[string]*enforce.Want
	are   map[string]*enforce.Is
	began time.Time
	says  func(context.Context) ([]byte, error)
	asked int
	told  []string // why there was no answer
}

func (h *host) Want(id string) (*enforce.Want, error) {
	if id == "damaged" {
		return nil, enforce.ErrDamaged
	}
	if w, ok := h.wants[id]; ok {
		return w, nil
	}
	return nil, fs.ErrNotExist
}

func (h *host) Is(id string) (*enforce.Is, error) {
	if is, ok := h.are[id]; ok {
		return is, nil
	}
	return nil, fs.ErrNotExist
}

func newHost() (*host, *access.Responder) {
	h := &host{wants: map[string]*enforce.Want{}, are: map[string]*enforce.Is{}, began: time.Now()}
	h.add("web-1")
	return h, access.New(access.Config{
		Folder: h, Boot: "b1",
		Now: func() enforce.Boottime { return enforce.Boottime(time.Since(h.began).Milliseconds()) + 1 },
		Ask: func(ctx context.Context, _ *enforce.Want) ([]byte, error) {
			h.asked++
			return h.says(ctx)
		},
		Failed: func(id string, err error) { h.told = append(h.told, id+": "+err.Error()) },
	})
}

func (h *host) add(id string) {
	h.wants[id] = &enforce.Want{ID: id, State: enforce.Up, Until: 1e9, Boot: "b1", Enforcer: "box", Generation: 1, Plan: "small"}
	h.are[id] = &enforce.Is{ID: id, State: enforce.Up, Boot: "b1", Generation: 1}
}

func say(text string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(text), nil }
}

// TestAnswers holds what becomes of what an enforcer says.
func TestAnswers(t *testing.T) {
	var h *host
	fail := func(err error) func(context.Context) ([]byte, error) {
		return func(context.Context) ([]byte, error) { return nil, err }
	}
	for name, test := range map[string]struct {
		says func(context.Context) ([]byte, error)
		want error
		told string
	}{
		"text":        {say("203.0.113.7\n\tport 22 & <é>\n"), nil, ""},
		"JSON":        {say(`{"address":"203.0.113.7"}`), nil, ""},
		"all of it":   {say(strings.Repeat("x", access.MaxText)), nil, ""},
		"too much":    {say(strings.Repeat("x", access.MaxText+1)), access.ErrFailed, "web-1: it has 16385 bytes"},
		"nothing":     {say(""), access.ErrNone, ""},
		"a line":      {say(" \n"), access.ErrNone, ""},
		"an escape":   {say("\x1b]0;owned\a"), access.ErrFailed, "web-1: it has control characters"},
		"no UTF-8":    {say("\xff\xfe"), access.ErrFailed, "web-1: it has control characters, or is no UTF-8"},
		"none":        {fail(fmt.Errorf("unit: %w", access.ErrNone)), access.ErrNone, ""},
		"it fails":    {fail(errors.New("exit 1: a reason")), access.ErrFailed, "web-1: exit 1: a reason"},
		"and refuses": {fail(enforce.ErrRefused), access.ErrFailed, "web-1: refused"},
	} {
		t.Run(name, func(t *testing.T) {
			var r *access.Responder
			h, r = newHost()
			h.says = test.says
			text, err := r.Access(t.Context(), "web-1")
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Fatalf("%q, %v", text, err)
			}
			if b, _ := test.says(t.Context()); err == nil && text != string(b) || err != nil && text != "" {
				t.Errorf("it says %q", text)
			}
			if told := strings.Join(h.told, "; "); (told == "") != (test.told == "") || !strings.HasPrefix(told, test.told) {
				t.Errorf("its keeper is told %q", told)
			}
			if err == access.ErrFailed && strings.Contains(err.Error(), "reason") {
				t.Error("its holder is told what the enforcer said of itself")
			}
		})
	}
}

// TestWhatIsNotUp holds that nothing is asked of what is not up, or is not to be.
func TestWhatIsNotUp(t *testing.T) {
	for name, change := range map[string]func(*enforce.Want, *enforce.Is){
		"down":             func(_ *enforce.Want, is *enforce.Is) { is.State = enforce.Down },
		"starting":         func(_ *enforce.Want, is *enforce.Is) { is.State = enforce.Starting },
		"unknown":          func(_ *enforce.Want, is *enforce.Is) { is.State = enforce.Unknown },
		"of another boot":  func(_ *enforce.Want, is *enforce.Is) { is.Boot = "b0" },
		"wanted before it": func(w *enforce.Want, _ *enforce.Is) { w.Boot = "b0" },
		"wanted down":      func(w *enforce.Want, _ *enforce.Is) { w.State, w.Until = enforce.Down, 0 },
		"over its time":    func(w *enforce.Want, _ *enforce.Is) { w.Until = 1 },
	} {
		h, r := newHost()
		h.says = say("here")
		change(h.wants["web-1"], h.are["web-1"])
		if text, err := r.Access(t.Context(), "web-1"); err != access.ErrNotUp || text != "" || h.asked != 0 {
			t.Errorf("%s: %q, %v, asked %d times", name, text, err, h.asked)
		}
	}
	h, r := newHost()
	if _, err := r.Access(t.Context(), "web-2"); err != access.ErrNotUp {
		t.Errorf("what is not wanted: %v", err)
	}
	delete(h.are, "web-1")
	if _, err := r.Access(t.Context(), "web-1"); err != access.ErrNotUp {
		t.Errorf("what is not known: %v", err)
	}
	if _, err := r.Access(t.Context(), "damaged"); err != access.ErrFailed || len(h.told) != 1 {
		t.Errorf("a damaged want: %v, told %q", err, h.told)
	}
}

// TestHowOften holds that an enforcer is asked once a second of one resource, not before it has
// answered, and for ten seconds at most.
func TestHowOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, r := newHost()
		h.says = say("here")
		ask := func(want error) {
			t.Helper()
			if _, err := r.Access(t.Context(), "web-1"); !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Fatalf("after %v: %v, want %v", time.Since(h.began), err, want)
			}
		}
		ask(nil)
		time.Sleep(999 * time.Millisecond) // of the bubble
		ask(access.ErrTooSoon)
		time.Sleep(time.Millisecond)
		h.says = func(ctx context.Context) ([]byte, error) { // it hangs
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		from, done := time.Now(), make(chan error, 1)
		go func() {
			_, err := r.Access(t.Context(), "web-1")
			done <- err
		}()
		for range 9 {
			time.Sleep(time.Second)
			ask(access.ErrTooSoon)
		}
		if err := <-done; err != access.ErrFailed || time.Since(from) != access.MaxTime {
			t.Errorf("what hangs: %v after %v", err, time.Since(from))
		}
		h.says = say("here")
		ask(nil)
		// What was asked for long ago takes no memory: it may be asked for again.
		for n := range 3000 {
			id := fmt.Sprintf("vm-%d", n)
			h.add(id)
			if _, err := r.Access(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		ask(nil)
	})
}

func TestIsJSON(t *testing.T) {
	for text, want := range map[string]bool{
		`{"a":1}`: true, "\n[1]\n": true, `{`: false, `22`: false, `"a"`: false, ``: false,
		"203.0.113.7\n": false, "[Interface]\na = b": false,
	} {
		if access.IsJSON(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
