package systemd_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"sandglass/adapters/systemd"
	"sandglass/domain/enforce"
	"sandglass/testutil/nspawn"
)

// limit is far above what any step takes. The polkit of Debian 12 (122) now and then takes its 15
// seconds for a rule that has answered long ago.
const limit = 2 * time.Minute

// TestInSystemd runs the enforcer in a real systemd, as the keeper's user, whom polkit lets do
// what the rule says and nothing else.
func TestInSystemd(t *testing.T) {
	files, err := filepath.Abs("../../systemd")
	if err != nil {
		t.Fatal(err)
	}
	if !nspawn.Inside(t, nspawn.Options{Binds: []string{files + ":/systemd"}}) {
		return
	}
	install(t)
	for _, test := range []struct {
		name string
		test func(*testing.T, *keeper)
	}{
		{"the example is started, stopped and removed", theExample},
		{"a unit is told what its resource is", told},
		{"a unit that would run unpaid is refused", refused},
		{"a job that fails is told", jobs},
		{"a unit hangs at its stop", hangs},
		{"a unit crashes", crashes},
		{"a unit that crashed too often is started", limited},
		{"the bus is gone and comes back", busGone},
		{"the bus hangs", busHangs},
		{"systemd executes itself anew", reexec},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(t, newKeeper(t)) })
	}
}

// units are what the tests start, besides the example.
var units = map[string]string{
	"app@.service": `[Service]
EnvironmentFile=/run/sandglass/resources/%I.env
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'env -0 >/run/told-$SANDGLASS_RESOURCE'`,
	"plain@.service":  "[Service]\nType=exec\nExecStart=/usr/bin/sleep infinity",
	"strict@.service": "[Service]\nType=exec\nExecStart=/usr/bin/sleep infinity",
	"boot@.service":   "[Service]\nType=exec\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target",
	"masked@.service": "",
	"broken@.service": "[Service]\nType=exec",
	"false@.service":  "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'exit 7'",
	"mute@.service":   "[Service]\nType=notify\nTimeoutStartSec=1\nExecStart=/usr/bin/sleep infinity",
	"needs@.service":  "[Unit]\nRequires=false@%i.service\nAfter=false@%i.service\n[Service]\nExecStart=/usr/bin/sleep infinity",
	"unmet@.service":  "[Unit]\nConditionPathExists=/nowhere\n[Service]\nExecStart=/usr/bin/sleep infinity",
	"once@.service":   "[Service]\nType=oneshot\nExecStart=/usr/bin/true",
	"slow@.service":   "[Service]\nType=notify\nTimeoutStartSec=1min\nExecStart=/usr/bin/sleep infinity",
	"deaf@.service": `[Service]
Type=exec
ExecStart=/usr/bin/sleep infinity
KillSignal=SIGCONT
TimeoutStopSec=infinity`, // a shell that ignores a signal may be asked to end before it does
	"again@.service": "[Service]\nType=exec\nExecStart=/usr/bin/sleep infinity\nRestart=always\nRestartSec=100ms",
	"often@.service": `[Unit]
StartLimitIntervalSec=1h
StartLimitBurst=2
[Service]
Type=exec
ExecStart=/usr/bin/sleep infinity
Restart=on-failure
RestartSec=1ms`,
}

// install puts the files of the package where they belong, and adds the tests' own units.
func install(t *testing.T) {
	root(t, "systemd-sysusers", "/systemd/sandglass.sysusers.conf")
	root(t, "systemd-tmpfiles", "--create", "/systemd/sandglass.tmpfiles.conf")
	rules, err := os.ReadFile("/systemd/50-sandglass-keeper.rules")
	if err != nil {
		t.Fatal(err)
	}
	allowed := `["sandglass-app"`
	for name, content := range units {
		if name != "strict@.service" {
			allowed += fmt.Sprintf(", %q", strings.TrimSuffix(name, "@.service"))
		}
		write(t, "/etc/systemd/system/"+name, content)
	}
	write(t, "/etc/polkit-1/rules.d/50-sandglass-keeper.rules", strings.Replace(string(rules), `["sandglass-app"`, allowed, 1))
	root(t, "cp", "/systemd/sandglass-app@.service", "/etc/systemd/system/")
	root(t, "ln", "-sf", "/dev/null", "/etc/systemd/system/masked@.service")
	root(t, "systemctl", "daemon-reload")
	root(t, "systemctl", "restart", "polkit")
}

// keeper is what the tests have in place of one.
type keeper struct {
	*systemd.Enforcer
	t *testing.T
}

func newKeeper(t *testing.T) *keeper {
	e, err := systemd.New(systemd.Options{EnvDir: "/run/sandglass/resources", Allowed: []string{
		"sandglass-app@.service", "[a-z]*@.service"}})
	if err != nil {
		t.Fatal(err)
	}
	is, err := user.Lookup("sandglass-keeper")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(is.Uid)
	if err != nil {
		t.Fatal(err)
	}
	e.DialAs(uid, func() (*dbus.Conn, error) { return dialAs(uid) })
	t.Cleanup(func() {
		if err := e.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return &keeper{e, t}
}

// dialAs connects to the bus by a thread that is another user while it does, and dies of it: the
// bus asks the kernel once who its peer is.
func dialAs(uid int) (conn *dbus.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocks it
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); e != 0 {
			err = e
			return
		}
		conn, err = systemd.Dial("/run/dbus/system_bus_socket")
	}()
	<-done
	return conn, err
}

// want is one of a template.
func want(template, id string) *enforce.Want {
	return &enforce.Want{ID: id, State: enforce.Up, Enforcer: enforce.Systemd, Unit: template, Plan: "small"}
}

func (k *keeper) ctx() context.Context {
	ctx, cancel := context.WithTimeout(k.t.Context(), limit)
	k.t.Cleanup(cancel)
	return ctx
}

// do does what has to work, and leaves nothing behind.
func (k *keeper) do(v enforce.Verb, w *enforce.Want) {
	k.t.Helper()
	if err := k.Do(k.ctx(), v, w); err != nil {
		k.t.Fatal(err)
	}
	if v == enforce.Start {
		k.t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			if err := k.Do(ctx, enforce.Remove, w); err != nil {
				k.t.Error(err)
			}
		})
	}
}

// fails does what has to fail, and returns why.
func (k *keeper) fails(v enforce.Verb, w *enforce.Want, refused bool, says string) {
	k.t.Helper()
	err := k.Do(k.ctx(), v, w)
	if err == nil || errors.Is(err, enforce.ErrRefused) != refused || !strings.Contains(err.Error(), says) {
		k.t.Errorf("%s %s: %v, want one that says %q, refused: %t", v, w.Unit, err, says, refused)
	}
}

// is returns the status, which is to be a certain state.
func (k *keeper) is(w *enforce.Want, state enforce.State) enforce.Status {
	k.t.Helper()
	s, err := k.Status(k.ctx(), w)
	if err != nil {
		k.t.Fatal(err)
	}
	if s.State != state {
		k.t.Errorf("%s of %s is %+v, want %s", w.Unit, w.ID, s, state)
	}
	return s
}

// listen returns the next of Changes, which have begun.
func (k *keeper) listen() func() (string, error) {
	next, stop := iter.Pull2(k.Changes(k.ctx()))
	k.t.Cleanup(stop)
	if id, err, ok := next(); id != "" || err != nil || !ok {
		k.t.Fatalf("changes begin with %q, %v, %t", id, err, ok)
	}
	return func() (string, error) {
		id, err, ok := next()
		if !ok {
			return "", errors.New("no more changes")
		}
		return id, err
	}
}

// until waits for the changes of a resource until it is in a state.
func (k *keeper) until(next func() (string, error), w *enforce.Want, is func(enforce.Status) bool) enforce.Status {
	k.t.Helper()
	for {
		id, err := next()
		if err != nil {
			k.t.Fatal(err)
		}
		if id != w.ID {
			continue
		}
		s, err := k.Status(k.ctx(), w)
		if err != nil {
			k.t.Fatal(err)
		}
		if is(s) {
			return s
		}
	}
}

// root does something as root, and returns what it printed.
func root(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
