package wants

import (
	"context"
	"iter"
	"maps"
	"time"

	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
)

// Views are the read models of the log.
type Views interface {
	// Resource returns a resource as it stands.
	Resource(resource.ID) (s resource.State, ok bool)
	// All returns a page of resources whose ids come after one, by id; an empty page is the end.
	All(after resource.ID) []resource.State
	// Touched returns the resources that events touched since it was last called, and Touch a
	// channel that yields when there is one, once Touched was called.
	Touched() []resource.ID
	Touch() <-chan struct{}
	// Enforced reports whether there ever was a resource that something starts and stops.
	Enforced() bool
}

// Folder holds the wants, one file a resource, and what the keeper found. Its writes are whole or
// not at all.
type Folder interface {
	// Wants returns the ids of the wants that are there, in whatever state.
	Wants() ([]string, error)
	// Want returns one, or an error if it is damaged or not there.
	Want(id string) (*enforce.Want, error)
	Write(*enforce.Want) error
	Remove(id string) error
	// Is returns what the keeper said last of a resource.
	Is(id string) (*enforce.Is, error)
}

// Config is what a [Writer] is made of. All but Values are needed.
type Config struct {
	Views  Views
	Folder Folder
	Host   Host
	Now    func() Reading
	// Values returns what a resource is told by the hash of its parameters, false if that is not kept: then
	// it is told what it was told before. It may be nil: then nothing is told.
	Values func(id resource.ID, hash config.Hash) (param.Values, bool)
	Blind  func() Blind
	// Failed is told of each want that could not be left: it is tried again each second.
	Failed func(id resource.ID, err error)
	// Passed is told after each pass over all resources how many are wanted up, down and gone.
	Passed func(map[enforce.State]int)
}

// every is the pause between two passes over all resources.
const every = time.Minute

// look is how often the wallet is asked after: once it is read again, nobody keeps the time that
// was for those who may have paid unseen.
const look = time.Second

// within is how far a want's end may be from where it would be now before it is written anew: the
// clocks run apart by less.
const within = 250

// Writer leaves the wants.
type Writer struct {
	Config
	left   map[string]*enforce.Want     // as they stand in the folder; nil before it was read
	failed map[resource.ID]bool         // which could not be left, and are tried again
	told   map[resource.ID]config.Hash  // the parameters that they have
	gone   map[resource.ID]instant.Time // when they were released, of those that nothing is left of in this boot
}

// New returns a writer that has left nothing yet.
func New(c Config) *Writer {
	return &Writer{
		Config: c, gone: map[resource.ID]instant.Time{}, failed: map[resource.ID]bool{}, told: map[resource.ID]config.Hash{},
	}
}

// Run leaves wants from now on, until ctx ends, and then returns nil. The log has to be folded,
// and the time to be known.
func (w *Writer) Run(ctx context.Context) error {
	t := time.NewTicker(look)
	defer t.Stop()
	w.Views.Touched() // from now on they tell
	var passed time.Time
	var blind Blind
	for {
		if b := w.Blind(); b != blind || time.Since(passed) >= every {
			blind, passed = b, time.Now()
			w.all()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			w.retry()
		case <-w.Views.Touch():
			for _, id := range w.Views.Touched() {
				if s, ok := w.Views.Resource(id); ok {
					w.leave(&s)
				}
			}
		}
	}
}

// all goes by the folder as it is, and by every resource.
func (w *Writer) all() {
	if err := w.read(); err != nil {
		if w.anyWanted() {
			w.Failed("", err)
		}
		return
	}
	for s := range w.resources() {
		w.leave(s)
	}
	for id, left := range w.left {
		if _, known := w.Views.Resource(resource.ID(id)); !known {
			w.lose(left)
		}
	}
	old := w.Now().Own.Add(-keepGone)
	maps.DeleteFunc(w.gone, func(_ resource.ID, at instant.Time) bool { return at < old })
	counts := map[enforce.State]int{}
	for _, want := range w.left {
		counts[want.State]++
	}
	w.Passed(counts)
}

// anyWanted reports whether anything is wanted of a resource.
func (w *Writer) anyWanted() bool {
	for s := range w.resources() {
		if _, ok := Of(s, w.Host, w.Now(), w.Blind(), false); ok {
			return true
		}
	}
	return false
}

// resources yields all resources, by id: none where nothing ever was to be started.
func (w *Writer) resources() iter.Seq[*resource.State] {
	return func(yield func(*resource.State) bool) {
		if !w.Views.Enforced() {
			return
		}
		for page := w.Views.All(""); len(page) > 0; page = w.Views.All(page[len(page)-1].ID) {
			for i := range page {
				if !yield(&page[i]) {
					return
				}
			}
		}
	}
}

// read reads what stands in the folder. What is damaged is written anew, if anything is wanted.
func (w *Writer) read() error {
	ids, err := w.Folder.Wants()
	if err != nil {
		return err
	}
	left := make(map[string]*enforce.Want, len(ids))
	for _, id := range ids {
		want, err := w.Folder.Want(id)
		if err != nil {
			want = &enforce.Want{ID: id}
			if before := w.left[id]; before != nil {
				want.Generation = before.Generation
			}
		}
		left[id] = want
	}
	w.left = left
	return nil
}

// leave leaves what is wanted of a resource, if that is not there already.
func (w *Writer) leave(s *resource.State) {
	err := w.update(s)
	if err == nil {
		delete(w.failed, s.ID)
		return
	}
	w.failed[s.ID] = true
	w.Failed(s.ID, err)
}

// retry leaves what could not be left, up to the first that still can't be: who was paused, or has paid,
// does not wait for the next pass once the file system has room.
func (w *Writer) retry() {
	for id := range w.failed {
		if s, ok := w.Views.Resource(id); ok && w.update(&s) != nil {
			return
		}
		delete(w.failed, id)
	}
}

// update has the folder say what is wanted of a resource.
func (w *Writer) update(s *resource.State) error {
	id, before := string(s.ID), w.left[string(s.ID)]
	if _, gone := w.gone[s.ID]; w.left == nil || gone && before == nil {
		return nil
	}
	want, ok := Of(s, w.Host, w.Now(), w.Blind(), before != nil)
	if !ok {
		return nil
	}
	want.Params = w.params(s, before)
	switch {
	case before != nil && w.done(s, before):
		return w.end(s)
	case before != nil && same(before, &want):
		return nil
	}
	want.Generation = 1
	if before != nil {
		want.Generation += before.Generation
	}
	if err := w.Folder.Write(&want); err != nil {
		delete(w.told, s.ID)
		return err
	}
	w.left[id] = &want
	return nil
}

// lose says of a want that the log does not know its resource, as after an older backup was put in
// the log's place. What has time keeps it. Then it is down, and what it holds is kept for whoever
// orders it again: only its operator knows whether somebody will, and wants it gone.
func (w *Writer) lose(left *enforce.Want) {
	is, err := w.Folder.Is(left.ID)
	if err != nil || is.Boot != left.Boot {
		is = new(enforce.Is)
	}
	switch {
	case left.Enforcer == "", left.State == enforce.Up && left.Boot == w.Host.Boot && left.End(is) > w.Now().Up:
		return // it is damaged, or has time
	case left.State == enforce.Gone:
		if is.Generation != left.Generation || is.State != enforce.Gone {
			return
		}
		if err := w.Folder.Remove(left.ID); err != nil {
			w.Failed(resource.ID(left.ID), err)
			return
		}
		delete(w.left, left.ID)
		return
	case left.Lost:
		return
	}
	want := *left
	want.State, want.Lost, want.Boot = enforce.Down, true, w.Host.Boot
	want.Until, want.Lasts, want.From, want.PaidUntil = 0, 0, 0, ""
	want.Generation++
	if err := w.Folder.Write(&want); err != nil {
		w.Failed(resource.ID(want.ID), err)
		return
	}
	w.left[want.ID] = &want
}

// params returns what a resource is told. What is not kept, or was deleted, it is told as before: what
// stops it may need what started it.
func (w *Writer) params(s *resource.State, before *enforce.Want) map[string]string {
	if w.Values == nil {
		return nil
	}
	hash := s.Config.Of()
	if told, ok := w.told[s.ID]; ok && told == hash && before != nil && before.Enforcer != "" { // else it is damaged
		return before.Params
	}
	values, kept := w.Values(s.ID, hash)
	switch {
	case kept && len(values) > 0:
		w.told[s.ID] = hash
		return values
	case before != nil:
		return before.Params
	}
	return nil
}

// end takes away the want of a resource with which the keeper has done.
func (w *Writer) end(s *resource.State) error {
	if err := w.Folder.Remove(string(s.ID)); err != nil {
		return err
	}
	delete(w.left, string(s.ID))
	delete(w.told, s.ID)
	if s.Status == resource.StatusReleased {
		w.gone[s.ID] = s.Since
	}
	return nil
}

// done reports whether the keeper has done what was wanted last of a resource, for good: it is
// released and gone, or it belongs to another host and is down.
func (w *Writer) done(s *resource.State, before *enforce.Want) bool {
	last := enforce.Down
	if s.Status == resource.StatusReleased {
		last = enforce.Gone
	} else if w.Host.Name == "" || s.Host == w.Host.Name {
		return false
	}
	if before.State != last || before.Boot != w.Host.Boot {
		return false
	}
	is, err := w.Folder.Is(before.ID)
	return err == nil && is.Boot == before.Boot && is.Generation == before.Generation && is.State == last
}

// same reports whether a want says what is wanted, whatever its generation.
func same(before, now *enforce.Want) bool {
	a, b := *before, *now
	if d := a.Until - b.Until; -within < d && d < within {
		a.Until = b.Until
	}
	a.Version, a.Generation, b.Version, b.Generation = 0, 0, 0, 0 // and From is when it was written
	return a.ID == b.ID && a.State == b.State && a.Enforcer == b.Enforcer && a.Unit == b.Unit && a.Until == b.Until &&
		a.Lasts == b.Lasts && a.Boot == b.Boot && a.Plan == b.Plan && a.Host == b.Host && a.Lost == b.Lost &&
		a.PaidUntil == b.PaidUntil && maps.Equal(a.Params, b.Params)
}
