// Package host is what the daemon and the keeper of its host tell each other: it leaves what
// resources should be, and reads what they are. It rests on the files of adapters/runfiles; what is
// wanted, and what follows from what was found, is decided in the domain.
package host

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"sandglass/adapters/clock"
	"sandglass/adapters/keeperstate"
	"sandglass/adapters/runfiles"
	rules "sandglass/domain/clock"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/reports"
	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
	"sandglass/projections"

	"github.com/rs/zerolog"
)

// Options are what a [Host] is made of. All are needed.
type Options struct {
	RunDir     string // where daemon and keeper speak
	KeeperDir  string // where the keeper leaves what outlasts a boot
	Name       string // of the host; empty where there is one machine
	BlindGrace time.Duration
	Views      *projections.Views
	Resources  *resource.Handler
	Clock      *clock.Clock
	Wallet     func() watch.Health // whether it is read
	Swept      []<-chan struct{}   // closed once the wallet was read
	// Values returns what a resource is told by the hash of its parameters: see [wants.Config].
	Values func(resource.ID, config.Hash) (param.Values, bool)
	Log    zerolog.Logger
	// Failed begins a line about what failed and is tried again, and Works tells that it does.
	Failed func(error) *zerolog.Event
	Works  func()
}

// Host leaves wants and reads what is.
type Host struct {
	Options
	folder folder
	blind  blindness
	reader *reports.Reader
	read   chan struct{} // closed once the wallet was read
	counts counts
	left   atomic.Int64 // wants, as of the last minute
}

// New returns a host of which nothing was left and read yet.
func New(o Options) *Host {
	h := &Host{
		Options: o,
		folder:  folder{runfiles.At(o.RunDir), o.RunDir},
		blind:   blindness{grace: instant.OfDuration(o.BlindGrace)},
		counts:  newCounts(),
		read:    make(chan struct{}),
	}
	off := o.Clock.Off()
	h.reader = reports.New(reports.Config{
		Views:    views{h},
		Folder:   h.folder,
		Host:     h.here(),
		Now:      h.now,
		Off:      off.At,
		Down:     wentDown(o.KeeperDir, off),
		Read:     h.read,
		Report:   h.report,
		Failed:   h.readFailed,
		Reported: h.reported,
		Passed:   o.Works,
	})
	return h
}

// wentDown returns when resources went down in a former boot, as far as the keeper has left it on disk: the
// log may not know of it.
func wentDown(dir string, off rules.Off) map[resource.ID][]instant.Time {
	signs, err := keeperstate.Load(dir)
	if err != nil {
		return nil // the clock has told
	}
	was, _ := signs.Of(off.Boot)
	down := make(map[resource.ID][]instant.Time, len(was.Down))
	for id, all := range was.Down {
		for _, at := range all {
			down[resource.ID(id)] = append(down[resource.ID(id)], off.At.Add(instant.Millis(at)-off.Up))
		}
	}
	return down
}

func (h *Host) here() wants.Host { return wants.Host{Name: h.Name, Boot: h.Clock.Boot} }

// Run leaves wants and reports what is, once the log is folded and the time is known, until ctx ends: a
// lnd that is locked keeps nobody down who has paid, and has nobody pay for an outage.
func (h *Host) Run(ctx context.Context) error {
	if !wait(ctx, h.Views.CaughtUp(), h.Clock.Begun()) {
		return nil
	}
	h.tellMissing()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if wait(ctx, h.Swept...) {
			close(h.read)
		}
	})
	wg.Go(func() { _ = h.reader.Run(ctx) }) // returns nil, once ctx ends
	return wants.New(wants.Config{
		Views:  views{h},
		Folder: h.folder,
		Host:   h.here(),
		Now:    h.now,
		Values: h.Values,
		Blind:  func() wants.Blind { return h.blind.at(h.Wallet()) },
		Failed: h.wantFailed,
		Passed: h.wantsPassed,
	}).Run(ctx)
}

// wait waits for all of some channels to be closed, and reports whether they were before ctx ended.
func wait(ctx context.Context, all ...<-chan struct{}) bool {
	for _, c := range all {
		select {
		case <-ctx.Done():
			return false
		case <-c:
		}
	}
	return true
}

// Begun is closed once all that the keeper said was reported for the first time: no time should be
// let pass before.
func (h *Host) Begun() <-chan struct{} { return h.reader.Begun() }

// HasKeeper reports whether this machine has the folder of a keeper: where none was ever installed,
// nobody says what is up.
func (h *Host) HasKeeper() bool {
	_, err := runfiles.Open(h.RunDir)
	return err == nil
}

// now reads our own time and that of this boot at once.
func (h *Host) now() wants.Reading {
	own, up := h.Clock.Both()
	return wants.Reading{Own: own, Up: enforce.Boottime(up)}
}

var meta = stream.Meta{Actor: "keeper"}

func (h *Host) report(ctx context.Context, id resource.ID, c resource.Report) error {
	_, err := h.Resources.Execute(ctx, id, meta, c)
	return err
}

// views are the read models, as those ask them who leave wants and read what is. What was touched is
// told to both.
type views struct{ *Host }

// Resource implements [wants.Views].
func (v views) Resource(id resource.ID) (resource.State, bool) {
	s, _, ok := v.Views.Resource(id)
	return s, ok
}

// All implements [wants.Views]: what nothing enforces is left out.
func (v views) All(after resource.ID) []resource.State {
	return v.Views.Resources(after, 256, func(s *resource.State) bool { return s.Enforcer != "" })
}

// Touched implements [wants.Views].
func (v views) Touched() []resource.ID {
	ids := v.Views.Touched()
	v.reader.Touched(ids...)
	return ids
}

// Touch implements [wants.Views].
func (v views) Touch() <-chan struct{} { return v.Views.Touch() }

// Enforced implements [wants.Views].
func (v views) Enforced() bool { return v.Views.Enforced() }

// folder is that of the keeper. Where none was ever installed it is not there.
type folder struct {
	*runfiles.Folder
	dir string
}

// Wants implements [wants.Folder]. It is called first, and makes what is missing.
func (f folder) Wants() ([]string, error) {
	if _, err := runfiles.Open(f.dir); err != nil {
		return nil, err
	}
	return f.Folder.Wants()
}

// Founds implements [reports.Folder]: where there is no keeper nothing was found.
func (f folder) Founds() ([]string, error) {
	ids, err := f.Folder.Founds()
	return ids, unlessMissing(err)
}

// SaveHeard implements [reports.Folder]: where there is no keeper nobody is told.
func (f folder) SaveHeard(b []byte) error { return unlessMissing(f.Folder.SaveHeard(b)) }

// SaveTimes implements [reports.Folder]: where there is no keeper there are no times to keep.
func (f folder) SaveTimes(b []byte) error { return unlessMissing(f.Folder.SaveTimes(b)) }

func unlessMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
