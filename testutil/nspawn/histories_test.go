package nspawn_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/daemon"
	"sandglass/testutil/devnet"
	"sandglass/testutil/nspawn"
)

var (
	seed      = flag.Uint64("seed", 1, "of the first history; 0 takes one from the clock")
	histories = flag.Int("histories", 3, "random histories on a real systemd and a real lnd")
)

func TestMain(m *testing.M) {
	flag.Parse()
	devnet.Run(m)
}

// TestHistories has random payments, pauses, outages and kills of the daemon, the keeper, units, lnd
// and the machine, on a real systemd and a real lnd. In each of them nobody runs for longer than was
// paid and the slack, nobody is stopped who has time, and the audits are clean.
//
// The daemon and lnd run on this host, the keeper and systemd in the machine, as the files of systemd/
// say, by a user of its own; they share the clock since boot. What is a reboot to the two is another
// machine, an empty SANDGLASS_RUN_DIR and another SANDGLASS_BOOT_ID, since this host's own stays.
func TestHistories(t *testing.T) {
	nspawn.Skip(t)
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("once more: %s=1 go test ./testutil/nspawn -run '^TestHistories$' -v -timeout 0 -args -seed %d -histories %d",
		nspawn.Env, *seed, *histories)
	for n := range uint64(*histories) {
		t.Run(fmt.Sprint("seed ", *seed+n), func(t *testing.T) {
			h := newHistory(t, *seed+n)
			defer func() { t.Logf("%s", strings.Join(h.did, "\n")) }() // also if it fails
			for range 14 + h.random.IntN(12) {
				h.step()
			}
			h.end()
		})
	}
}

// tenant rents a resource, each of a unit of its own.
type tenant struct {
	id, plan, key string // key is the holder's
}

// stop is how long its unit may take to end by itself: TimeoutStopSec.
func (t *tenant) stop() instant.Millis {
	if t.plan == "deaf" {
		return deafStop
	}
	return 0
}

// history is one under way.
type history struct {
	*daemon.Daemon
	t       *testing.T
	ctx     context.Context
	net     *devnet.Network
	random  *rand.Rand
	begin   time.Time
	bill    string // wall or uptime
	run     string // SANDGLASS_RUN_DIR: a small file system of its own
	signs   string // SANDGLASS_KEEPER_STATE_DIR: it outlasts machines
	machine *nspawn.Machine
	boots   int
	tenants []*tenant
	watch   *watch
	did     []string

	alive, frozen, lnd, full, keeperFrozen bool
	broken                                 map[*tenant]bool // whose units do not start
}

// units are the templates that are rented out, each of which can be broken. The other one hangs when it is stopped, until systemd
// kills it.
var units = map[string]string{
	"app": `[Unit]
ConditionPathExists=!/run/broken-%i
[Service]
Type=exec
ExecStart=/usr/bin/sleep infinity`,
	"deaf": `[Unit]
ConditionPathExists=!/run/broken-%i
[Service]
Type=exec
ExecStart=/bin/sh -c 'trap "" TERM; while :; do sleep 1000 & wait; done'
` + fmt.Sprintf("TimeoutStopSec=%d", deafStop/instant.Second),
}

const (
	deafStop   = 2 * instant.Second // TimeoutStopSec of deaf
	blindGrace = 2 * instant.Second
)

func newHistory(t *testing.T, seed uint64) *history {
	net := devnet.Shared(t)
	h := &history{
		t: t, ctx: t.Context(), net: net, random: rand.New(rand.NewPCG(seed, 11)), begin: time.Now(),
		run: t.TempDir(), signs: t.TempDir(),
		alive: true, lnd: true, bill: []string{"uptime", "wall", "uptime"}[seed%3], broken: map[*tenant]bool{},
	}
	h.must(unix.Mount("tmpfs", h.run, "tmpfs", 0, "size=512k,mode=755"))
	t.Cleanup(func() { h.must(unix.Unmount(h.run, unix.MNT_DETACH)) })
	h.Daemon = daemon.New(t, append(net.Env(), "SANDGLASS_RUN_DIR="+h.run, "SANDGLASS_KEEPER_STATE_DIR="+h.signs,
		"SANDGLASS_LOG_LEVEL=warn", "SANDGLASS_BLIND_GRACE="+blindGrace.Std().String())...)
	h.watch = newWatch()
	t.Cleanup(h.watch.end)
	h.boot()
	h.Start()
	h.WaitReady(h.ctx)
	for name := range units {
		_, err := h.Client().Publish(h.ctx, wire.PublishRequest{
			Name: name, Price: wire.Price{Msat: 1, Per: 1}, Min: 1, Max: instant.Hour, Grace: instant.Hour, Bill: h.bill,
			Enforcer: "systemd:" + name + "@.service",
		})
		h.must(err)
	}
	for i, plan := range []string{"app", "app", "app", "deaf"} {
		o, err := h.Client().Order(h.ctx, wire.OrderRequest{Plan: plan, Time: h.time(), ID: fmt.Sprintf("vm%d", i)}, "")
		h.must(err)
		h.tenants = append(h.tenants, &tenant{o.Resource.ID, plan, o.HolderKey})
		h.watch.add(o.Resource.ID, fmt.Sprintf("system.slice/system-%s.slice/%[1]s@%s.service", plan, o.Resource.ID))
		h.pay(o.Payment)
	}
	return h
}

// time is one that is paid for: a few seconds, or more than the history lasts.
func (h *history) time() instant.Millis {
	if h.random.IntN(4) == 0 {
		return 10 * instant.Minute
	}
	return instant.Millis(2000 + h.random.IntN(10_000))
}

func (h *history) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("%v\n%s", err, h.Log())
	}
}

// boot boots a machine with the keeper, and tells the daemon which boot it is.
func (h *history) boot() {
	h.t.Helper()
	left, err := os.ReadDir(h.run)
	h.must(err)
	for _, e := range left {
		h.must(os.RemoveAll(filepath.Join(h.run, e.Name())))
	}
	h.boots++
	id := fmt.Sprintf("%032x", h.boots)
	h.Env = append(h.Env, "SANDGLASS_BOOT_ID="+id)
	bin, err := filepath.Abs(daemon.Binary(h.t))
	h.must(err)
	files, err := filepath.Abs("../../systemd")
	h.must(err)
	m, err := nspawn.Boot(h.ctx, nspawn.Options{
		Binds: []string{files + ":/systemd", bin + ":/usr/bin/sandglass"},
		State: []string{h.run + ":/run/sandglass", h.signs + ":/var/lib/sandglass-keeper"},
	})
	h.must(err)
	h.machine = m
	h.t.Cleanup(func() {
		if h.machine == m {
			h.must(m.Close())
		}
	})
	h.keeperFrozen, h.full = false, false
	clear(h.broken)
	script := new(strings.Builder)
	for name, unit := range units {
		fmt.Fprintf(script, "cat >/etc/systemd/system/%s@.service <<'END'\n%s\nEND\n", name, unit)
	}
	fmt.Fprintf(script, installKeeper+`
sed -i 's/^var sandglassTemplates = .*/var sandglassTemplates = ["app", "deaf"];/' /etc/polkit-1/rules.d/50-sandglass-keeper.rules
cat >/etc/sandglass/keeper.env <<'END'
SANDGLASS_SYSTEMD_UNITS=app@.service,deaf@.service
SANDGLASS_BOOT_ID=%s
END
systemctl daemon-reload && systemctl start sandglass-keeper.service`, id)
	h.in(script.String())
	h.watch.enter(m.Root())
}

// in has a shell of the machine's root do something that has to work.
func (h *history) in(script string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, limit)
	defer cancel()
	out, err := h.machine.Command(ctx, "sh", "-ec", script).CombinedOutput()
	if err != nil {
		journal, _ := h.machine.Command(ctx, "journalctl", "--no-pager", "-n", "30").CombinedOutput()
		h.t.Fatalf("%s: %v: %s\n%s", script, err, out, journal)
	}
}

// pay has bob pay. Lnd may be away, or have no channel yet.
func (h *history) pay(p *wire.Payment) {
	ctx, cancel := context.WithTimeout(h.ctx, 20*time.Second)
	defer cancel()
	if _, err := h.net.Bob.Pay(ctx, p.Request); err != nil {
		h.note("was not paid: %v", err)
	}
}

func (h *history) note(format string, args ...any) {
	h.did = append(h.did, fmt.Sprintf("%7.3f ", time.Since(h.begin).Seconds())+fmt.Sprintf(format, args...))
}

func (h *history) some() *tenant { return h.tenants[h.random.IntN(len(h.tenants))] }

// rest lets up to so much time pass.
func (h *history) rest(most time.Duration) {
	select {
	case <-h.ctx.Done():
	case <-time.After(time.Duration(h.random.Int64N(int64(most)))):
	}
}

// tops pays for more time of a tenant's, maybe in the last second.
func (h *history) tops(t *tenant) {
	if !h.alive || h.frozen || !h.lnd {
		return
	}
	p, err := h.Client().Fund(h.ctx, t.id, wire.FundRequest{Time: h.time()})
	if err != nil {
		h.note("%s gets no invoice: %v", t.id, err)
		return
	}
	if r, err := h.Client().Resource(h.ctx, t.id); err == nil && r.Status == "running" && h.random.IntN(2) == 0 {
		if left := r.Remaining.Std(); left < 12*time.Second {
			time.Sleep(max(0, left-time.Duration(h.random.Int64N(int64(time.Second)))))
			h.note("%s is paid in the last second", t.id)
		}
	}
	h.pay(&p)
}

func (h *history) step() {
	steps := []struct {
		weight int
		name   string
		do     func(*tenant)
	}{
		{8, "is paid", h.tops},
		{3, "is paused or resumed", func(t *tenant) {
			if h.alive && !h.frozen {
				c := h.Client().As(t.key)
				if _, err := c.Pause(h.ctx, t.id); err != nil {
					_, _ = c.Resume(h.ctx, t.id) // it may have no time
				}
			}
		}},
		{2, "crashes", func(t *tenant) { h.crash(t) }},
		{4, "breaks, or is repaired", h.breaks},
		{3, "the daemon is killed or started", func(*tenant) { h.toggleDaemon() }},
		{2, "the daemon is stopped or goes on", func(*tenant) { h.freezeDaemon() }},
		{3, "the keeper is killed", func(*tenant) { h.killKeeper() }},
		{1, "the keeper is stopped or goes on", func(*tenant) { h.freezeKeeper() }},
		{1, "both are killed", func(*tenant) {
			if h.alive {
				h.toggleDaemon()
			}
			h.killKeeper()
		}},
		{1, "lnd is killed or started", func(*tenant) { h.toggleLnd() }},
		{1, "the disk is full, or not any more", func(*tenant) { h.fillDisk() }},
		{1, "the machine is booted", func(*tenant) { h.reboot() }},
		{4, "nothing", func(*tenant) { h.rest(3 * time.Second) }},
	}
	all := 0
	for _, s := range steps {
		all += s.weight
	}
	n := h.random.IntN(all)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			t := h.some()
			h.note("%s: %s", t.id, s.name)
			s.do(t)
			break
		}
	}
	h.rest(time.Second)
}

func (h *history) crash(t *tenant) {
	h.watch.excuse(t.id)
	h.in(fmt.Sprintf("systemctl kill -s KILL %s@%s.service || true", t.plan, t.id)) // it may not run
	h.watch.excuse(t.id)
}

// breaks has a unit crash and not start any more, or lets it start again.
func (h *history) breaks(t *tenant) {
	if h.broken[t] = !h.broken[t]; h.broken[t] {
		h.in("touch /run/broken-" + t.id)
		h.crash(t)
		return
	}
	h.in("rm /run/broken-" + t.id)
}

func (h *history) toggleDaemon() {
	if h.alive = !h.alive; h.alive {
		h.watch.away(theWallet) // which is not read yet
		h.Start()
		h.isBack()
		return
	}
	h.watch.away(theDaemon)
	h.frozen = false
	h.Kill()
}

// isBack waits until the daemon has read the wallet, or, while that is away, until it answers.
func (h *history) isBack() {
	h.t.Helper()
	if h.lnd {
		h.WaitReady(h.ctx)
		h.watch.back(theWallet)
	} else {
		h.Until(h.ctx, "the daemon answers", func() error { _, err := h.Client().Plans(h.ctx); return err })
	}
	h.watch.back(theDaemon)
}

func (h *history) freezeDaemon() {
	if !h.alive {
		return
	}
	if h.frozen = !h.frozen; h.frozen {
		h.watch.away(theDaemon)
		h.must(h.Signal(syscall.SIGSTOP))
		return
	}
	h.must(h.Signal(syscall.SIGCONT))
	h.isBack()
}

// killKeeper kills the keeper, and returns once systemd has started another one and that is ready.
func (h *history) killKeeper() {
	h.watch.away(theKeeper)
	h.in(`was=$(systemctl show --value -p MainPID sandglass-keeper)
systemctl kill -s KILL sandglass-keeper || true # one that is stopped is killed after a while
until pid=$(systemctl show --value -p MainPID sandglass-keeper) && [ $pid != 0 ] && [ $pid != $was ] &&
	systemctl -q is-active sandglass-keeper; do sleep 0.02; done`)
	h.keeperFrozen = false
	h.watch.back(theKeeper)
}

func (h *history) freezeKeeper() {
	if h.keeperFrozen = !h.keeperFrozen; h.keeperFrozen {
		h.watch.away(theKeeper)
		h.in("systemctl kill -s STOP sandglass-keeper.service")
		return
	}
	h.in("systemctl kill -s CONT sandglass-keeper.service || true; systemctl start sandglass-keeper.service")
	h.watch.back(theKeeper)
}

func (h *history) toggleLnd() {
	if h.lnd = !h.lnd; h.lnd {
		h.must(h.net.Alice.Restart(h.ctx))
		h.must(h.net.WaitChannel(h.ctx))
		if h.alive && !h.frozen {
			h.isBack()
		}
		return
	}
	h.watch.away(theWallet)
	h.must(h.net.Alice.Kill())
}

// fillDisk fills the file system of wants, or makes room: who can't write there says nothing to the
// other.
func (h *history) fillDisk() {
	filler := filepath.Join(h.run, "filler")
	if h.full = !h.full; h.full {
		h.watch.away(theFolder)
		err := os.WriteFile(filler, bytes.Repeat([]byte("x"), 1<<20), 0o600)
		if !errors.Is(err, syscall.ENOSPC) {
			h.t.Fatalf("it is not full: %v", err)
		}
		return
	}
	h.must(os.Remove(filler))
	h.watch.back(theFolder)
}

// reboot is a power cut to all but lnd, and another machine.
func (h *history) reboot() {
	if h.full {
		h.fillDisk()
	}
	h.watch.away(theDaemon)
	h.watch.away(theKeeper)
	h.watch.enter("")
	h.Kill()
	h.must(h.machine.Close())
	h.boot()
	h.watch.back(theKeeper)
	h.alive, h.frozen = true, false
	h.watch.away(theWallet)
	h.Start()
	h.isBack()
}

// end has everything be well, waits until all is as it was paid for, and judges what was.
func (h *history) end() {
	h.note("the end")
	if h.full {
		h.fillDisk()
	}
	if !h.lnd {
		h.toggleLnd()
	}
	switch {
	case !h.alive:
		h.toggleDaemon()
	case h.frozen:
		h.freezeDaemon()
	}
	for t, broken := range h.broken {
		if broken {
			h.breaks(t)
		}
	}
	h.killKeeper() // the next one tries at once what failed again and again
	h.WaitReady(h.ctx)
	agreed := time.Now()
	h.Until(h.ctx, "all that has time runs, and stays so", func() error {
		for _, t := range h.tenants {
			r, err := h.Client().Resource(h.ctx, t.id)
			if err != nil {
				return err
			}
			if wanted := r.Status == "running"; wanted != h.watch.runs(t.id) {
				agreed = time.Now()
				return fmt.Errorf("%s is %s with %s left, and runs: %t", t.id, r.Status, r.Remaining.Std(), !wanted)
			}
		}
		if time.Since(agreed) < steady.Std() || !h.watch.allTold() {
			return errors.New("it has not been so for long")
		}
		return nil
	})
	h.watch.end()
	h.judge()
	for _, audit := range []string{"replay", "reconcile"} {
		if out, err := h.Command(h.ctx, "audit", audit); err != nil {
			h.t.Errorf("audit %s: %v\n%s", audit, err, out)
		}
	}
}
