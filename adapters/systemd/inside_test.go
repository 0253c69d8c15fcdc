package systemd_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandglass/domain/enforce"
)

func theExample(t *testing.T, k *keeper) {
	w := want("sandglass-app@.service", "vm-7")
	w.Params = map[string]string{"image": "debian"}
	if s := k.is(w, enforce.Gone); s.Since != 0 {
		t.Errorf("what never was is gone since %d", s.Since)
	}
	next := k.listen()
	before := sinceBoot(t)
	k.do(enforce.Start, w)
	up := k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Up })
	if shown := property(t, `sandglass-app@vm\x2d7.service`, "InvocationID"); up.Invocation != shown || shown == "" {
		t.Errorf("its invocation is %q, want %q", up.Invocation, shown)
	}
	if now := sinceBoot(t); up.Since < before || up.Since > now {
		t.Errorf("it is up since %d, and was started from %d to %d", up.Since, before, now)
	}
	k.do(enforce.Start, w)
	if again := k.is(w, enforce.Up); again != up {
		t.Errorf("to start it again made %+v of %+v", again, up)
	}

	k.do(enforce.Stop, w)
	down := k.is(w, enforce.Down)
	if down.Since < up.Since {
		t.Errorf("it is down since %d, and was up since %d", down.Since, up.Since)
	}
	k.do(enforce.Stop, w)
	k.is(w, enforce.Down)
	k.do(enforce.Start, w)
	if s := k.is(w, enforce.Up); s.Invocation == up.Invocation || s.Since < down.Since {
		t.Errorf("started again it is %+v, before it was %+v", s, up)
	}
	k.do(enforce.Remove, w)
	k.is(w, enforce.Gone)
	k.do(enforce.Remove, w)
	k.do(enforce.Stop, w)
	if s := k.is(w, enforce.Gone); s.Since != 0 {
		t.Errorf("it is gone, and still known to have ended at %d", s.Since)
	}
}

func told(t *testing.T, k *keeper) {
	w := want("app@.service", "a")
	hard := `"$HOME" ${x} $(id) ` + "`id`" + ` \n \ 'it''s' #; %i ü  ` + `--`
	w.Host, w.PaidUntil, w.Params = "rack-1", "2026-11-28T09:00:00.000Z", map[string]string{
		"ssh_key": hard, "end": `\`, "lines": "a\nSANDGLASS_PLAN=large\n\n",
	}
	const pieces = "\n\n\\\"$`'#;=% -~{}[]()<>!*?aZ09é€𝄞"
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 60 { // whatever is text is told as it is
		var value strings.Builder
		for range r.IntN(40) {
			value.WriteRune([]rune(pieces)[r.IntN(len([]rune(pieces)))])
		}
		w.Params[fmt.Sprint("random_", i)] = value.String()
	}
	k.do(enforce.Start, w)
	is, err := os.ReadFile("/run/told-a")
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range w.Environ() {
		if !strings.Contains("\x00"+string(is), "\x00"+variable+"\x00") {
			t.Errorf("it was not told %q, but %q", variable, is)
		}
	}
	w.Params = map[string]string{"ssh_key": "a\tb"}
	k.fails(enforce.Start, w, true, "SANDGLASS_PARAM_SSH_KEY")
}

func refused(t *testing.T, k *keeper) {
	root(t, "systemctl", "enable", "boot@a.service")
	for _, test := range []struct{ template, says string }{
		{"Other@.service", "SANDGLASS_SYSTEMD_UNITS"},
		{"dbus.service", "SANDGLASS_SYSTEMD_UNITS"},
		{"strict@.service", "polkit"},
		{"nosuch@.service", "there is no such template"},
		{"masked@.service", "systemctl unmask"},
		{"broken@.service", "can't load it"},
		{"boot@.service", "systemctl disable"},
	} {
		w := want(test.template, "a")
		k.fails(enforce.Start, w, true, test.says)
		name := strings.Replace(test.template, "@", "@a", 1)
		if name != "dbus.service" && property(t, name, "ActiveState") != "inactive" {
			t.Errorf("%s runs", name)
		}
	}
	// What isn't there does not run, and need not be stopped.
	w := want("nosuch@.service", "b")
	k.is(w, enforce.Gone)
	k.do(enforce.Stop, w)
	k.do(enforce.Remove, w)
	// What runs all the same can be stopped: unless it is not allowed.
	root(t, "systemctl", "start", "boot@a.service", "strict@a.service")
	k.do(enforce.Stop, want("boot@.service", "a"))
	k.fails(enforce.Stop, want("strict@.service", "a"), true, "polkit")
	k.is(want("strict@.service", "a"), enforce.Up)
	k.do(enforce.Start, want("boot@.service", "b"))
}

func jobs(t *testing.T, k *keeper) {
	for _, test := range []struct{ template, says string }{
		{"false@.service", "ended as failed exit-code, status 7"},
		{"mute@.service", "ended as failed timeout"},
		{"needs@.service", "ended as dependency"},
		{"unmet@.service", "it does not run"},
		{"once@.service", "it does not run"},
	} {
		w := want(test.template, "a")
		k.fails(enforce.Start, w, false, test.says)
		if s, err := k.Status(k.ctx(), w); err != nil || s.State != enforce.Down {
			t.Errorf("%s is %+v, %v", test.template, s, err)
		}
		k.do(enforce.Remove, w)
		k.is(w, enforce.Gone)
	}

	// Somebody else stops what is being started.
	w := want("slow@.service", "a")
	next := k.listen()
	failed := make(chan error)
	go func() { failed <- k.Do(t.Context(), enforce.Start, w) }()
	k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Starting })
	root(t, "systemctl", "stop", "slow@a.service")
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "ended as canceled") {
		t.Error(err)
	}

	// It is not wanted any more while it is being started.
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { failed <- k.Do(ctx, enforce.Start, w) }()
	k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Starting })
	changed := errors.New("it is not wanted any more")
	cancel(changed)
	if err := <-failed; !errors.Is(err, changed) {
		t.Error(err)
	}
	k.do(enforce.Stop, w)
	k.is(w, enforce.Down)
	k.do(enforce.Remove, w)
}

func hangs(t *testing.T, k *keeper) {
	w := want("deaf@.service", "a")
	k.do(enforce.Start, w)
	next := k.listen()
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- k.Do(ctx, enforce.Stop, w) }()
	k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Stopping })
	late := errors.New("it takes too long")
	cancel(late)
	if err := <-failed; !errors.Is(err, late) {
		t.Errorf("a stop that has not ended: %v", err)
	}
	k.is(w, enforce.Stopping)
	other := want("plain@.service", "b")
	k.do(enforce.Start, other) // held up by nothing
	k.is(w, enforce.Stopping)
	root(t, "sh", "-c", "mkdir $0.d && printf '[Service]\nTimeoutStopSec=1' >$0.d/impatient.conf && systemctl daemon-reload",
		"/run/systemd/system/deaf@.service")
	k.do(enforce.Stop, w)
	if s := k.is(w, enforce.Down); s.Why != "timeout, status 9" {
		t.Errorf("it was killed: %+v", s)
	}
	k.is(other, enforce.Up)
}

func crashes(t *testing.T, k *keeper) {
	w := want("plain@.service", "a")
	next := k.listen()
	k.do(enforce.Start, w)
	up := k.is(w, enforce.Up)
	root(t, "systemctl", "kill", "-s", "KILL", "plain@a.service")
	down := k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Down })
	if down.Why != "signal, status 9" || down.Since < up.Since || down.Invocation != up.Invocation {
		t.Errorf("it crashed: %+v, it was %+v", down, up)
	}
	k.do(enforce.Start, w)
	if s := k.is(w, enforce.Up); s.Why != "" || s.Invocation == up.Invocation {
		t.Errorf("started again: %+v", s)
	}

	// systemd starts it again by itself: two runs are told apart.
	w = want("again@.service", "a")
	k.do(enforce.Start, w)
	up = k.is(w, enforce.Up)
	root(t, "systemctl", "kill", "-s", "KILL", "again@a.service")
	again := k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Up && s.Invocation != up.Invocation })
	if again.Since <= up.Since {
		t.Errorf("it is up since %d, and was since %d", again.Since, up.Since)
	}
	// It is stopped while systemd waits to start it.
	root(t, "systemctl", "kill", "-s", "KILL", "again@a.service")
	k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Starting || s.Invocation != again.Invocation })
	k.do(enforce.Stop, w)
	k.is(w, enforce.Down)
}

func limited(t *testing.T, k *keeper) {
	w := want("often@.service", "a")
	next := k.listen()
	k.do(enforce.Start, w)
	run := k.is(w, enforce.Up).Invocation
	root(t, "systemctl", "kill", "-s", "KILL", "often@a.service")
	k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Up && s.Invocation != run })
	root(t, "systemctl", "kill", "-s", "KILL", "often@a.service")
	k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Down })
	k.do(enforce.Start, w)
	k.is(w, enforce.Up)
}

func busGone(t *testing.T, k *keeper) {
	w := want("plain@.service", "a")
	k.do(enforce.Start, w)
	up := k.is(w, enforce.Up)
	next := k.listen()
	root(t, "systemctl", "stop", "dbus.socket", "dbus.service")
	for err := error(nil); err == nil; {
		_, err = next() // what was changed by then is told
	}
	if s, err := k.Status(k.ctx(), w); err == nil || errors.Is(err, enforce.ErrRefused) {
		t.Errorf("without a bus it is %+v, %v", s, err)
	}
	k.fails(enforce.Stop, w, false, "the system bus")
	for _, err := range k.Changes(k.ctx()) {
		if err == nil {
			t.Error("there are changes without a bus")
		}
	}
	root(t, "systemctl", "start", "dbus.socket", "dbus.service")
	root(t, "systemctl", "restart", "polkit")
	if s := k.is(w, enforce.Up); s != up {
		t.Errorf("the bus cost it its run: %+v, it was %+v", s, up)
	}
	next = k.listen()
	k.do(enforce.Stop, w)
	k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Down })
}

func busHangs(t *testing.T, k *keeper) {
	w := want("plain@.service", "a")
	k.do(enforce.Start, w)
	pid := property(t, "dbus.service", "MainPID")
	root(t, "kill", "-STOP", pid)
	fresh := newKeeper(t)
	for i, k := range []*keeper{k, fresh} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if s, err := k.Status(ctx, w); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("keeper %d: %+v, %v", i, s, err)
		}
		if err := k.Do(ctx, enforce.Stop, w); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("keeper %d: %v", i, err)
		}
		cancel()
	}
	root(t, "kill", "-CONT", pid)
	k.is(w, enforce.Up)
	fresh.is(w, enforce.Up)
}

func reexec(t *testing.T, k *keeper) {
	w := want("plain@.service", "a")
	k.do(enforce.Start, w)
	up := k.is(w, enforce.Up)
	next := k.listen()
	root(t, "systemctl", "daemon-reexec")
	if s := k.is(w, enforce.Up); s.Invocation != up.Invocation {
		t.Errorf("%+v, it was %+v", s, up)
	}
	root(t, "systemctl", "kill", "-s", "KILL", "plain@a.service")
	k.until(next, w, func(s enforce.Status) bool { return s.State == enforce.Down })
	k.do(enforce.Start, w)
	k.is(w, enforce.Up)
}

// property is what systemctl shows of a unit.
func property(t *testing.T, name, property string) string {
	t.Helper()
	return root(t, "systemctl", "show", "--value", "-p", property, name)
}

func sinceBoot(t *testing.T) enforce.Boottime {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		t.Fatal(err)
	}
	return enforce.Boottime(now.Nano() / 1e6)
}
