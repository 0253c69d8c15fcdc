package nspawn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandglass/domain/enforce"
	"sandglass/testutil/daemon"
	"sandglass/testutil/nspawn"
)

// limit is far above what any step takes.
const limit = 2 * time.Minute

// rig is a machine on which the keeper is installed as the manual says.
type rig struct {
	*nspawn.Machine
	t    *testing.T
	boot string
}

// TestTheKeeperAsInstalled runs the keeper by the files of systemd/: what it is told by the daemon's
// user it does, and its unit gives it what it needs and no more.
func TestTheKeeperAsInstalled(t *testing.T) {
	nspawn.Skip(t)
	r := install(t)
	for _, unit := range []string{"sandglass-keeper.service", "sandglass-app@a.service"} {
		r.run("systemd-analyze verify --man=no " + unit)
		r.run("systemd-analyze security --threshold=20 --no-pager " + unit) // 2.0 of 10
	}

	r.want(enforce.Want{ID: "vm-7", State: enforce.Up, Unit: "sandglass-app@.service", Generation: 1}, time.Hour)
	run := r.until("vm-7", enforce.Up).Invocation
	if got := r.run(`systemctl show --value -p InvocationID 'sandglass-app@vm\x2d7.service'`); got != run {
		t.Errorf("its run is %q, and systemd says %q", run, got)
	}
	r.isReached("vm-7")
	r.run("systemctl kill -s KILL sandglass-keeper.service && systemctl is-active 'sandglass-app@vm\\x2d7.service'")
	r.want(enforce.Want{ID: "vm-8", State: enforce.Up, Unit: "sandglass-app@.service", Generation: 1}, time.Hour)
	r.until("vm-8", enforce.Up)
	r.run("systemctl restart sandglass-keeper.service")
	if is := r.until("vm-7", enforce.Up); is.Invocation != run {
		t.Errorf("its run is %q, after two restarts of the keeper %q", run, is.Invocation)
	}

	// It ends by itself: nobody but the keeper is there.
	r.want(enforce.Want{ID: "vm-7", State: enforce.Up, Unit: "sandglass-app@.service", Generation: 2}, 500*time.Millisecond)
	r.until("vm-7", enforce.Down)
	r.run("! systemctl is-active 'sandglass-app@vm\\x2d7.service'")
	r.isNotReached("vm-7")
	r.want(enforce.Want{ID: "vm-7", State: enforce.Gone, Unit: "sandglass-app@.service", Generation: 3}, 0)
	r.until("vm-7", enforce.Gone)
	r.run("systemctl is-active 'sandglass-app@vm\\x2d8.service'")

	// A template that it was not allowed is refused, and so is a user who is not the daemon's.
	r.want(enforce.Want{ID: "bus", State: enforce.Up, Unit: "polkit@.service", Generation: 1}, time.Hour)
	if is := r.until("bus", enforce.Unknown); !strings.Contains(is.Why, "SANDGLASS_SYSTEMD_UNITS") {
		t.Errorf("%+v", is)
	}
	for _, call := range []string{
		"StartUnit ss polkit.service replace", "StopUnit ss dbus.service replace",
		"RestartUnit ss 'sandglass-app@a.service' replace",
		"StartTransientUnit 'ssa(sv)a(sa(sv))' x.service replace 1 Description s x 0",
		"EnableUnitFiles asbb 1 sandglass-app@a.service false false",
	} {
		r.run("! setpriv --reuid=sandglass-keeper --regid=sandglass-keeper --clear-groups " +
			"busctl --allow-interactive-authorization=no call " +
			"org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager " + call)
	}
	// What outlasts a power cut is there, and the daemon's user can read it.
	r.run("timeout 30 sh -c 'until setpriv --reuid=sandglass --regid=sandglass --clear-groups " +
		"grep -q " + r.boot + " /var/lib/sandglass-keeper/signs.json; do sleep 0.1; done'")
	t.Log(r.run("grep -E '^(VmRSS|RssAnon)' /proc/$(systemctl show --value -p MainPID sandglass-keeper)/status"))
}

// installKeeper has a machine's root install the keeper as the manual says, from /systemd.
const installKeeper = `cd /systemd
install -D -m 644 sandglass.sysusers.conf /usr/lib/sysusers.d/sandglass.conf && systemd-sysusers
install -D -m 644 sandglass.tmpfiles.conf /usr/lib/tmpfiles.d/sandglass.conf && systemd-tmpfiles --create
install -D -m 644 50-sandglass-keeper.rules /etc/polkit-1/rules.d/50-sandglass-keeper.rules
install -D -m 644 keeper.env.example /etc/sandglass/keeper.env
cp sandglass-keeper.service sandglass-app@.service /etc/systemd/system/`

// install boots a machine with the keeper.
func install(t *testing.T) *rig {
	bin, err := filepath.Abs(daemon.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Abs("../../systemd")
	if err != nil {
		t.Fatal(err)
	}
	m, err := nspawn.Boot(t.Context(), nspawn.Options{Binds: []string{files + ":/systemd", bin + ":/usr/bin/sandglass"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{m, t, ""}
	r.run(installKeeper + `
sed -i 's/^#SANDGLASS_SYSTEMD_UNITS/SANDGLASS_SYSTEMD_UNITS/' /etc/sandglass/keeper.env
sed -i 's/^#Exec/Exec/' /etc/systemd/system/sandglass-app@.service
systemctl daemon-reload && systemctl enable --now sandglass-keeper.service`)
	r.boot = r.run("cat /proc/sys/kernel/random/boot_id | tr -d -")
	return r
}

// run has a shell of the machine's root do something that has to work, and returns what it prints.
func (r *rig) run(script string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	out, err := r.Command(ctx, "sh", "-ec", script).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v: %s\n%s", script, err, out, r.journal())
	}
	return strings.TrimSpace(string(out))
}

func (r *rig) journal() []byte {
	out, _ := r.Command(context.Background(), "journalctl", "--no-pager", "-n", "60").CombinedOutput()
	return out
}

// want leaves a want as the daemon does: as its user, by rename.
func (r *rig) want(w enforce.Want, left time.Duration) {
	r.t.Helper()
	w.Enforcer, w.Plan, w.Boot = enforce.Systemd, "small", r.boot
	if w.State == enforce.Up {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
			r.t.Fatal(err)
		}
		w.Until = enforce.Boottime((now.Nano() + int64(left)) / 1e6)
	}
	b, err := w.Marshal()
	if err != nil {
		r.t.Fatal(err)
	}
	r.run(fmt.Sprintf(`cd /run/sandglass/want
setpriv --reuid=sandglass --regid=sandglass --clear-groups sh -ec 'umask 027; cat >.new; mv .new %s' <<'END'
%sEND`, w.ID, b))
}

// until waits until the keeper says what a resource is.
func (r *rig) until(id string, state enforce.State) enforce.Is {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	dir := filepath.Join(r.Root(), "run/sandglass/is")
	var is enforce.Is
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		b, err := os.ReadFile(filepath.Join(dir, id))
		if err == nil {
			if err := json.Unmarshal(b, &is); err != nil {
				r.t.Fatal(err)
			}
		}
		if is.State == state {
			return is
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("%s is %+v, want %s\n%s", id, is, state, r.journal())
		}
	}
}
