package serve

import (
	"context"
	"sync"

	"sandglass/adapters/runfiles"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
	"sandglass/projections"
)

// enforce leaves what the resources of this host should be for the keeper, once the log is folded
// and the time is known. It does not wait for the wallet: a lnd that is locked keeps nobody down
// who has paid.
func (d *components) enforce(ctx context.Context) error {
	for _, ready := range []<-chan struct{}{d.views.CaughtUp(), d.clock.Begun()} {
		select {
		case <-ctx.Done():
			return nil
		case <-ready:
		}
	}
	blind := &blindness{grace: instant.OfDuration(d.BlindGrace)}
	return wants.New(wants.Config{
		Views:  wantedViews{d.views},
		Folder: &runFolder{dir: d.RunDir},
		Host:   wants.Host{Name: d.Host, Boot: d.clock.Boot},
		Now:    d.bothClocks,
		Blind:  func() wants.Blind { return blind.at(d.watcher.Health()) },
		Failed: d.counts.wantFailed,
		Passed: d.counts.wantsPassed,
	}).Run(ctx)
}

// bothClocks reads our own time and that of this boot at once.
func (d *components) bothClocks() wants.Reading {
	own, up := d.clock.Both()
	return wants.Reading{Own: own, Up: enforce.Boottime(up)}
}

// wantedViews are the read models as the writer of wants asks them.
type wantedViews struct{ *projections.Views }

// Resource implements [wants.Views].
func (v wantedViews) Resource(id resource.ID) (resource.State, bool) {
	s, _, ok := v.Views.Resource(id)
	return s, ok
}

// All implements [wants.Views]: what nothing enforces is left out.
func (v wantedViews) All(after resource.ID) []resource.State {
	return v.Resources(after, 256, func(s *resource.State) bool { return s.Enforcer != "" })
}

// runFolder is the folder of wants, which is opened when it is there: on a host without a
// keeper it never is.
type runFolder struct {
	dir string
	*runfiles.Folder
}

// Wants implements [wants.Folder]. It is called first, and opens the folder.
func (f *runFolder) Wants() (ids []string, err error) {
	if f.Folder == nil {
		if f.Folder, err = runfiles.Open(f.dir); err != nil {
			return nil, err
		}
	}
	return f.Folder.Wants()
}

// blindness is since when the wallet can't be read.
type blindness struct {
	grace instant.Millis

	mu    sync.Mutex // guards since
	since instant.Time
}

func (b *blindness) at(h watch.Health) wants.Blind {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case h.Condition == watch.Ready:
		b.since = 0
	case b.since == 0:
		b.since = max(h.Since, 1)
	}
	return wants.Blind{Since: b.since, Grace: b.grace}
}

// wantFailed logs that a want could not be left.
func (c *counts) wantFailed(id resource.ID, err error) {
	e := c.failed(partEnforce, "", err)
	if id != "" {
		e = e.Str("resource", string(id))
	}
	e.Msg("what a resource should be is not left for the keeper, and is tried again: " +
		"see systemd/MANUAL.md, Starting and stopping machines")
}

// wantsPassed notes how many resources are wanted up, down and gone.
func (c *counts) wantsPassed(n map[enforce.State]int) {
	c.works(partEnforce)
	for _, s := range []enforce.State{enforce.Up, enforce.Down, enforce.Gone} {
		c.wanted.WithLabelValues(string(s)).Set(float64(n[s]))
	}
}
