package nspawn_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/stream"
)

// who can be away.
type who int

const (
	theDaemon who = iota
	theKeeper
	theWallet
	theFolder
)

// span is a time, to 0 if it has not ended.
type span struct{ from, to instant.Time }

func (s span) has(t instant.Time) bool { return s.from <= t && (s.to == 0 || t <= s.to) }

// ran is a time over which a unit had processes.
type ran struct {
	from, last instant.Time // the first and the last look at which it had
	gone       instant.Time // the first look at which it had none
}

// watch looks at the processes of units all the time, and remembers who was away when.
type watch struct {
	stop sync.Once
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex
	root    string // of the machine; empty while there is none
	cgroups map[string]string
	ran     map[string][]ran
	excused map[string][]instant.Time // when a unit was killed, or the machine
	reboots []instant.Time
	ended   instant.Time
	gone    map[who][]span
}

func newWatch() *watch {
	w := &watch{
		quit: make(chan struct{}), done: make(chan struct{}),
		cgroups: map[string]string{}, ran: map[string][]ran{}, excused: map[string][]instant.Time{}, gone: map[who][]span{},
	}
	go func() {
		defer close(w.done)
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			w.look()
			select {
			case <-tick.C:
			case <-w.quit:
				return
			}
		}
	}()
	return w
}

func (w *watch) end() {
	w.stop.Do(func() {
		w.ended = instant.Of(time.Now())
		close(w.quit)
	})
	<-w.done
}

func (w *watch) add(id, cgroup string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cgroups[id] = cgroup
}

// enter looks at another machine from now on.
func (w *watch) enter(root string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.cgroups {
		w.excused[id] = append(w.excused[id], instant.Of(time.Now()))
	}
	if w.root = root; root == "" {
		w.reboots = append(w.reboots, instant.Of(time.Now()))
	}
}

func (w *watch) excuse(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.excused[id] = append(w.excused[id], instant.Of(time.Now()))
}

func (w *watch) away(who who) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.gone[who]); n == 0 || w.gone[who][n-1].to != 0 {
		w.gone[who] = append(w.gone[who], span{from: instant.Of(time.Now())})
	}
}

func (w *watch) back(who who) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.gone[who]); n > 0 && w.gone[who][n-1].to == 0 {
		w.gone[who][n-1].to = instant.Of(time.Now()).Add(settles[who])
	}
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := instant.Of(time.Now())
	for id, cgroup := range w.cgroups {
		var procs []byte
		if w.root != "" {
			procs, _ = os.ReadFile(filepath.Join(w.root, "sys/fs/cgroup", cgroup, "cgroup.procs"))
		}
		runs := len(bytes.TrimSpace(procs)) > 0
		all := w.ran[id]
		n := len(all)
		switch on := n > 0 && all[n-1].gone == 0; {
		case runs && on:
			all[n-1].last = now
		case runs:
			w.ran[id] = append(all, ran{from: now, last: now})
		case on:
			all[n-1].gone = now
		}
	}
}

func (w *watch) runs(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.ran[id])
	return n > 0 && w.ran[id][n-1].gone == 0
}

// allTold reports whether the log knows by now of each unit that is down whether that is an outage.
func (w *watch) allTold() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := instant.Of(time.Now())
	for _, all := range w.ran {
		n := len(all)
		if n > 0 && all[n-1].gone != 0 && now < all[n-1].gone.Add(uptime.MinOutage+tells) {
			return false
		}
	}
	return true
}

// The bounds by which a history is judged, beside the slack of wants, TimeoutStopSec and the grace of
// what is blind.
const (
	lag    = 1 * instant.Second     // from an end to the last process of a unit
	within = instant.Millis(250)    // by which a want's end may be another before it is written anew
	steady = tells + instant.Second // for how long all is as it was paid for before a history is judged
	grain  = instant.Millis(50)     // of what is looked at
	unsure = instant.Millis(500)    // about the instant of a kill, and of what is counted by grains
	lives  = 11 * instant.Second    // within which daemon and keeper each leave on disk that they live
)

// settles is how long who is back has to tell what was missed meanwhile: the daemon looks each second
// whether the wallet can be read, and the folder be written. A keeper looks at once.
var settles = map[who]instant.Millis{
	theDaemon: instant.Second, theWallet: instant.Second, theFolder: instant.Second, theKeeper: 0,
}

// known is what the log says of a resource from an instant on.
type known struct {
	at    instant.Time // when it was written
	state resource.State
}

// past folds the streams of all resources, and keeps each state.
func (h *history) past() map[string][]known {
	past := map[string][]known{}
	for e := range h.Events(h.ctx) {
		id, ok := strings.CutPrefix(e.Stream, resource.Prefix)
		if !ok {
			continue
		}
		before := resource.New(resource.ID(id))
		if n := len(past[id]); n > 0 {
			before = past[id][n-1].state.Clone()
		}
		event, err := resource.Decode(&stream.Record{
			Event: stream.Event{Type: e.Type, At: e.At, Data: e.Data}, Stream: e.Stream, Revision: stream.Revision(e.Revision),
		})
		h.must(err)
		past[id] = append(past[id], known{e.RecordedAt, resource.Evolve(before, event)})
	}
	return past
}

// paid returns up to when what is known lets a resource run that is up since an instant, and whether it is
// for time to end it, so that there is a slack.
func (k *known) paid(up instant.Time) (end instant.Time, byTime bool) {
	s := &k.state
	switch s.Status {
	case resource.StatusRunning:
		return s.PaidUntil(), true
	case resource.StatusStarting:
		return max(up, k.at).Add(s.Left()), true
	case resource.StatusSuspended:
		return s.Since, true
	case resource.StatusPaused, resource.StatusReleased:
		return s.Since, false
	}
	return 0, false
}

// states are those of which wants may have been at an instant: that of the log, and, while the daemon
// or the folder is away, those of when it still was there.
func (h *history) states(past []known, t instant.Time) (states []*known) {
	from := t.Add(-grain)
	for _, who := range []who{theDaemon, theFolder} {
		for _, s := range h.watch.gone[who] {
			if s.has(t) {
				from = min(from, s.from.Add(-unsure))
			}
		}
	}
	for i := range past {
		if past[i].at <= t && (i+1 == len(past) || past[i+1].at >= from) {
			states = append(states, &past[i])
		}
	}
	return states
}

// late returns for how long a resource should not have been running at an instant, without the time
// over which the keeper was away. It was up since then.
func (h *history) late(past []known, up, t instant.Time) instant.Millis {
	var sum instant.Millis
	for at := t; at > t.Add(-instant.Minute); at = at.Add(-grain) {
		for _, s := range h.states(past, at) {
			if end, _ := s.paid(up); at < end {
				return sum
			}
		}
		if !h.watch.isAway(at, theKeeper) {
			sum += grain
		}
	}
	return sum
}

// allowed returns how late a resource may be at an instant: 1 s after the slack and TimeoutStopSec; one more where the
// keeper has just come back, as on a machine that boots, and may start what was over by what was left for it; and after
// the grace while the daemon can't read the wallet, or has left a want when it could not.
func (h *history) allowed(t *tenant, at instant.Time) instant.Millis {
	most := wants.Slack + t.stop() + lag
	if h.watch.isAway(at.Add(-2*lag-t.stop()), theKeeper) {
		most += lag
	}
	if h.watch.isAway(at.Add(-lag-t.stop()), theWallet) {
		most += blindGrace
	}
	return most
}

// mayStop reports whether a resource may have been stopped so that its last process was gone by an
// instant: nobody who has time is.
func (h *history) mayStop(t *tenant, past []known, up, gone instant.Time) bool {
	for at := gone; at >= gone.Add(-lag-t.stop()); at = at.Add(-grain) {
		for _, s := range h.states(past, at) {
			end, byTime := s.paid(up)
			if byTime {
				end = end.Add(wants.Slack - within - grain)
			}
			if at >= end {
				return true
			}
		}
	}
	return false
}

// judge holds what was seen against the log.
func (h *history) judge() {
	past := h.past()
	most, ups, stops := instant.Millis(math.MinInt64), instant.Millis(0), 0
	for _, t := range h.tenants {
		for _, r := range h.watch.ran[t.id] {
			ups += r.last.Sub(r.from)
			for at := r.from; at <= r.last; at = at.Add(grain) {
				late := h.late(past[t.id], r.from, at)
				over := late - h.allowed(t, at)
				if most = max(most, over+lag); over > 0 {
					h.t.Errorf("%s ran from %s to %s, and at %s for %s after its end", t.id, r.from, r.last, at, late.Std())
					break
				}
			}
			if r.gone == 0 {
				continue
			}
			stops++
			excused := false
			for _, at := range h.watch.excused[t.id] {
				excused = excused || at >= r.last.Add(-unsure) && at <= r.gone.Add(unsure)
			}
			if !excused && !h.mayStop(t, past[t.id], r.from, r.gone) {
				h.t.Errorf("%s was stopped at %s, and had time: it ran from %s to %s", t.id, r.gone, r.from, r.last)
			}
		}
	}
	spared := h.judgeBills(past)
	if h.t.Failed() {
		h.tell(past)
	}
	h.t.Logf("4 resources ran for %s and were stopped %d times, at most %s after the slack, by %s; %s of outages were not billed",
		ups.Std(), stops, max(most, 0).Std(), h.bill, spared.Std())
	if stops == 0 || ups == 0 {
		h.t.Error("nothing was put to the test")
	}
}

// tells is how long all has to be well for what is down to be reported, once it is an outage: until the
// keeper's next sign of life, which comes each 5 s.
const tells = 7 * instant.Second

// lost returns from when on nobody can know of an outage that it was one: until the machine went down
// nobody had said it, since the keeper was away, and what it leaves for the daemon is gone with the boot.
// The daemon knows by the next one that nothing ran since then. Else it returns 0.
func (h *history) lost(from, to instant.Time) instant.Time {
	var last instant.Time
	for _, down := range h.watch.reboots {
		if down < from.Add(unsure) || down > to {
			continue // what went down with the machine is known by what daemon and keeper left on disk
		}
		var well, lasts instant.Millis
		told := false
		for at := from; at < down; at = at.Add(grain) {
			well, lasts = well+grain, lasts+grain
			if h.watch.isAway(at, theKeeper, theFolder) {
				well, lasts = 0, 0
			}
			if h.watch.isAway(at, theDaemon) {
				well = 0
			}
			told = told || lasts >= lives || well >= tells && at >= from.Add(uptime.MinOutage+tells)
		}
		if !told {
			last = down
		}
	}
	return last
}

// isAway reports whether any of some was away at an instant.
func (w *watch) isAway(at instant.Time, some ...who) bool {
	return slices.ContainsFunc(some, func(who who) bool {
		return slices.ContainsFunc(w.gone[who], func(s span) bool { return s.has(at) })
	})
}

// judgeBills holds what was billed by uptime against the time for which units had processes and a right to,
// and returns how long they had none and had time.
func (h *history) judgeBills(past map[string][]known) (spared instant.Millis) {
	if h.bill != "uptime" {
		return 0
	}
	now := h.watch.ended
	for _, t := range h.tenants {
		if len(past[t.id]) == 0 {
			continue // it was never paid
		}
		last := past[t.id][len(past[t.id])-1].state
		billed := instant.Millis(last.Credited) - last.Remaining(now)
		var due, down, free instant.Millis
		for i, r := range h.watch.ran[t.id] {
			next := now
			if i+1 < len(h.watch.ran[t.id]) {
				next = h.watch.ran[t.id][i+1].from
			}
			rightful, starting := billable(past[t.id], r)
			due += rightful
			free += starting + h.untold(t, i)
			if r.gone != 0 {
				short, gap := h.short(r.last, next), next.Sub(r.last)
				if down += short; gap > short {
					spared += gap - short
				}
			}
		}
		if doubt := unsure * instant.Millis(1+len(h.watch.ran[t.id])); billed > due+down+doubt || billed < due-free-doubt {
			h.t.Errorf("%s was billed for %s: it was up for %s that it had paid, of which the daemon need not know %s, and "+
				"down for %s in outages that are billed", t.id, billed.Std(), due.Std(), free.Std(), down.Std())
		}
	}
	return spared
}

// billable returns for how much of the time for which it ran a resource had time, by the log, and for how
// much of that it was starting still: nobody had told the daemon that it is up, as the keeper was away, or
// it was down again, before something else became of it.
func billable(past []known, r ran) (rightful, starting instant.Millis) {
	for at := r.from; at < r.last; at = at.Add(grain) {
		i, found := slices.BinarySearchFunc(past, at, func(k known, at instant.Time) int { return cmp.Compare(k.at, at) })
		if !found {
			i--
		}
		if i < 0 {
			continue
		}
		if end, _ := past[i].paid(r.from); at >= end {
			continue
		}
		rightful += grain
		for i < len(past) && past[i].state.Status == resource.StatusStarting {
			i++
		}
		if i == len(past) || past[i].state.Status != resource.StatusRunning || at < past[i].state.Since {
			starting += grain
		}
	}
	return rightful, starting
}

// short returns how much of the time between two runs is billed: what is too short for an outage, and
// what nobody can know.
func (h *history) short(from, to instant.Time) instant.Millis {
	if gap := to.Sub(from); gap <= uptime.MinOutage+unsure {
		return gap
	}
	switch down := h.lost(from, to); {
	case down == 0:
		return 0
	case to.Sub(down) <= uptime.MinOutage+unsure: // what is known of it is too short
		return to.Sub(from)
	default:
		return down.Sub(from)
	}
}

// untold returns how much of a run may not be billed, since the machine went down before the daemon had
// heard of it: it counts as up until the last sign of life of either, and not after an outage of which the log
// does not know.
func (h *history) untold(t *tenant, n int) instant.Millis {
	r := h.watch.ran[t.id][n]
	for _, down := range h.watch.reboots {
		if down < r.from {
			continue
		}
		if n > 0 && r.from.Sub(h.watch.ran[t.id][n-1].last) >= uptime.MinOutage-unsure {
			return r.last.Sub(r.from)
		}
		return max(0, r.last.Sub(max(r.from, h.heard(down))))
	}
	return 0
}

// heard returns a sign of life that was left before the machine went down, or an instant before it.
func (h *history) heard(down instant.Time) instant.Time {
	var daemon, keeper instant.Millis
	at := down
	for ; at > instant.Of(h.begin) && daemon < lives && keeper < lives; at = at.Add(-grain) {
		daemon, keeper = daemon+grain, keeper+grain
		if h.watch.isAway(at, theDaemon) {
			daemon = 0
		}
		if h.watch.isAway(at, theKeeper) {
			keeper = 0
		}
	}
	return at
}

// tell says what was known, for whoever looks for a fault.
func (h *history) tell(past map[string][]known) {
	for id, states := range past {
		for _, k := range states {
			end, _ := k.paid(k.at)
			h.t.Logf("%s %s: %s until %s", k.at, id, k.state.Status, end)
		}
		h.t.Logf("%s ran %v", id, h.watch.ran[id])
	}
	away, _ := json.Marshal(fmt.Sprint(h.watch.gone))
	h.t.Logf("away: %s; the history began at %s\n%s", away, instant.Of(h.begin), h.Log())
}
