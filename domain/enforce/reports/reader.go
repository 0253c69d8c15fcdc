package reports

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sandglass/domain/enforce"
	"sandglass/domain/enforce/lasting"
	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// Views are the read models of the log.
type Views interface {
	// Resource returns a resource as it stands.
	Resource(resource.ID) (s resource.State, ok bool)
	// All returns a page of resources whose ids come after one, by id; an empty page is the end.
	All(after resource.ID) []resource.State
}

// Folder is where the keeper leaves what it found.
type Folder interface {
	// Founds returns the ids of all resources of which there is an Is.
	Founds() ([]string, error)
	// Is returns what the keeper said last of a resource, or an error if that is damaged or not there.
	Is(id string) (*enforce.Is, error)
	// Beat returns the keeper's last sign of life, or an error if there is none.
	Beat() (*enforce.Beat, error)
	// Found yields "" once it listens, then each name of an Is that comes, changes or goes, and ""
	// again if it may have missed some. It ends with the first error, or when ctx does.
	Found(ctx context.Context) iter.Seq2[string, error]
	// Times returns what SaveTimes wrote last in this boot, or an error.
	Times() ([]byte, error)
	SaveTimes([]byte) error
	// SaveHeard leaves a [lasting.Heard] to the keeper.
	SaveHeard([]byte) error
}

// Config is what a [Reader] is made of. All fields but Down are needed.
type Config struct {
	Views  Views
	Folder Folder
	Host   wants.Host
	Now    func() wants.Reading
	// Off is our own time when the boot before was last seen to run, 0 if that is not known.
	Off instant.Time
	// Down is when resources went down before that, by our own time, of which the log may not know: of each
	// the earliest first.
	Down map[resource.ID][]instant.Time
	// Read is closed once the wallet was read. Before that nobody's time ends by a report, since a
	// payment may still be found.
	Read <-chan struct{}
	// Report executes a report.
	Report func(context.Context, resource.ID, resource.Report) error
	// Failed is told of what could not be read or reported, which is tried again.
	Failed func(id resource.ID, err error)
	// Reported is told of each report that the log took, and what came of it.
	Reported func(id resource.ID, events []resource.Event)
	// Passed is told after each pass over all files that went well.
	Passed func()
}

const (
	every = time.Minute // the pause between two passes over all files
	look  = time.Second // how often what may be due is looked at again
	// parallel is how many resources are read and reported at once.
	parallel = 16
)

// Reader reads what the keeper says.
type Reader struct {
	Config
	woken chan struct{}
	begun chan struct{}
	line  timeline // changed by one goroutine, while it holds mu

	mu    sync.Mutex // guards what follows
	due   map[resource.ID]bool
	found map[resource.ID]*found
	all   bool // files may have changed unheard
}

// found is what is known of a resource.
type found struct {
	is  *enforce.Is // of this boot; nil if nothing was said
	off bool        // it was reported what became of it when the machine went down
}

// New returns a reader that has read nothing yet.
func New(c Config) *Reader {
	return &Reader{
		Config: c, woken: make(chan struct{}, 1), begun: make(chan struct{}),
		due: map[resource.ID]bool{}, found: map[resource.ID]*found{}, all: true,
	}
}

// Touched tells the reader that events touched resources. It may be called from anywhere.
func (r *Reader) Touched(ids ...resource.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if _, ok := r.due[id]; !ok {
			r.due[id] = false
		}
	}
	watch.Signal(r.woken)
}

// Begun is closed once all was reported that could be, with the wallet read. No time should be let
// pass before: over what went down with the machine it would be given back again.
func (r *Reader) Begun() <-chan struct{} { return r.begun }

// Found is what the keeper said last of a resource, in our own time.
type Found struct {
	State   enforce.State
	Since   instant.Time // when it became so
	Why     string
	Outages []uptime.Span // of this boot, of which the last may have no end
}

// Found returns what the keeper said last of a resource in this boot, and false if it said nothing.
func (r *Reader) Found(id resource.ID) (f Found, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.found[id]
	if known == nil || known.is == nil {
		return f, false
	}
	is := known.is
	f = Found{State: is.State, Since: r.line.own(is.Since), Why: is.Why}
	for _, o := range is.Outages {
		if o.To == 0 {
			f.Outages = append(f.Outages, uptime.Span{From: r.line.own(o.From)})
		} else if o.To-o.From >= enforce.Boottime(uptime.MinOutage) {
			f.Outages = append(f.Outages, uptime.Span{From: r.line.own(o.From), To: r.line.own(o.To)})
		}
	}
	return f, true
}

// Count adds to n how many resources are what, by what the keeper said last.
func (r *Reader) Count(n map[enforce.State]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.found {
		if f.is != nil {
			n[f.is.State]++
		}
	}
}

// Run reads and reports until ctx ends, and then returns nil. The log has to be folded and the time
// to be known. It does not wait for the wallet: what was not reported before the machine goes down
// is lost.
func (r *Reader) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { r.listen(ctx) })
	kept, _ := r.Folder.Times() // without them what is reported twice can be some milliseconds off
	r.line = readTimeline(kept, r.Host.Boot)
	t := time.NewTicker(look)
	defer t.Stop()
	var passed time.Time
	unread := r.Read // nil once all was reported with the wallet read
	for first := true; ; first = false {
		read := unread != nil && r.isRead()
		at, whole := r.Now().Up, false // whether all was reported that stood in the files then
		if missed := r.missed(); missed || read || time.Since(passed) >= every {
			passed = time.Now()
			whole = r.pass(first || read)
		}
		whole = r.report(ctx) && whole
		if read {
			unread = nil
			close(r.begun)
		}
		if whole && ctx.Err() == nil {
			r.heard(at)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		case <-r.woken:
		case <-unread:
		}
	}
}

// isRead reports whether the wallet was read.
func (r *Reader) isRead() bool {
	select {
	case <-r.Read:
		return true
	default:
		return false
	}
}

// listen notes which files change.
func (r *Reader) listen(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; failures++ {
		for name, err := range r.Folder.Found(ctx) {
			if err != nil {
				break // the pass over all files says what is wrong
			}
			failures = 0
			r.mu.Lock()
			if name == "" {
				r.all = true
			} else if resource.IsName(name) {
				r.due[resource.ID(name)] = true
			}
			r.mu.Unlock()
			watch.Signal(r.woken)
		}
		watch.Pause(ctx, watch.Backoff(failures, time.Second, every))
	}
}

// missed reports whether files may have changed unheard.
func (r *Reader) missed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = false
	return all
}

// heard tells the keeper up to when the log has what went down, once all files of an instant were read and
// reported: what was down for less than an outage by then may be reported yet.
func (r *Reader) heard(at enforce.Boottime) {
	h := lasting.Heard{Boot: r.Host.Boot, At: max(0, at-enforce.Boottime(uptime.MinOutage))}
	b, err := h.Marshal()
	if err == nil {
		err = r.Folder.SaveHeard(b)
	}
	if err != nil {
		r.Failed("", err)
	}
}

// pass looks at all files again, and at the start at all resources that run by the log: what
// went down with the machine has no file. It reports whether all files could be listed.
func (r *Reader) pass(start bool) bool {
	names, err := r.Folder.Founds()
	if err != nil {
		r.Failed("", err)
	}
	ids := make([]resource.ID, 0, len(names))
	for _, name := range names {
		if resource.IsName(name) {
			ids = append(ids, resource.ID(name))
		}
	}
	if start && r.Off > 0 {
		for page := r.Views.All(""); len(page) > 0; page = r.Views.All(page[len(page)-1].ID) {
			for i := range page {
				ids = append(ids, page[i].ID)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		there := make(map[resource.ID]bool, len(ids))
		for _, id := range ids {
			there[id] = true
		}
		maps.DeleteFunc(r.found, func(id resource.ID, _ *found) bool { return !there[id] })
	}
	for _, id := range ids {
		r.due[id] = true
	}
	return err == nil
}

// take returns what is due, and whether its file is to be read.
func (r *Reader) take() map[resource.ID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := r.due
	r.due = map[resource.ID]bool{}
	return due
}

// readClocks reads both clocks, and keeps what they show if that is a step.
func (r *Reader) readClocks() {
	r.mu.Lock()
	stepped := r.line.see(r.Now())
	r.mu.Unlock()
	if stepped {
		b, err := json.Marshal(r.line)
		if err == nil {
			err = r.Folder.SaveTimes(append(b, '\n'))
		}
		if err != nil {
			r.Failed("", err)
		}
	}
}

// report reads and reports what is due, and returns false if some of it could not be reported.
func (r *Reader) report(ctx context.Context) bool {
	r.readClocks()
	due := r.take()
	if len(due) == 0 {
		return true
	}
	known := r.known()
	var away, failed atomic.Bool // away is the log: each try would wait for it in vain
	_ = watch.Each(ctx, parallel, slices.Collect(maps.Keys(due)), func(ctx context.Context, id resource.ID) error {
		changed := due[id]
		if !away.Load() {
			again, err := r.one(ctx, id, changed, known)
			failed.CompareAndSwap(false, err != nil)
			if changed = false; !again || errors.Is(err, errUnread) {
				return nil
			}
			away.CompareAndSwap(false, errors.Is(err, stream.ErrUnavailable))
		}
		r.mu.Lock()
		r.due[id] = r.due[id] || changed
		r.mu.Unlock()
		return nil
	})
	if ctx.Err() == nil {
		r.Passed()
	}
	return !failed.Load()
}

// known returns up to when, by our own time, what stands in the files is known to be so: until the
// last sign of life of a keeper that has looked at all of it.
func (r *Reader) known() instant.Time {
	if b, err := r.Folder.Beat(); err == nil && b.Looked && b.Boot == r.Host.Boot {
		return r.line.own(b.At)
	}
	return 0
}

// one reads the file of a resource, if it matters, and reports what it comes to. It
// returns true if the resource has to be looked at again soon.
func (r *Reader) one(ctx context.Context, id resource.ID, changed bool, known instant.Time) (again bool, err error) {
	s, ok := r.Views.Resource(id)
	counts := ok && s.Terms.Uptime && s.Status != resource.StatusReleased && s.Host == r.Host.Name
	// A file is read after the sign of life: what it says was so until then.
	f := r.read(id, changed || counts)
	if !counts {
		return false, nil
	}
	off, booted, began := r.off(s)
	if off > 0 && !f.off {
		c := resource.Report{When: resource.When{At: booted}, Host: r.Host.Name, Since: off, Why: "the machine was booted"}
		if s, err = r.do(ctx, s, c); err != nil {
			return true, err
		}
	}
	f.off = true
	if f.is == nil {
		return false, nil
	}
	if s.Since >= began {
		off = 0 // it has been reported since
	}
	c, ok := Of(f.is, r.Host.Name, known, off, r.line.own)
	if !ok {
		return false, nil
	}
	if s, err = r.do(ctx, s, c); err != nil {
		return true, err
	}
	// It is not long enough for an outage yet, though its time may be over, or the log tells of a time
	// that has not come here.
	if c.Up {
		return s.Status == resource.StatusStarting, nil
	}
	return s.Status == resource.StatusRunning || c.At.Sub(c.Since) < uptime.MinOutage, nil
}

// off returns when a resource went down with the boot before, or before that while nobody told the log, 0 if that
// is not known; from when on the machine is booted; and since when what the log says is of this boot. A container
// has the clock since boot of its host: it was booted after the former and before a daemon first looked.
func (r *Reader) off(s resource.State) (last, booted, began instant.Time) {
	last = r.Off
	for _, went := range r.Down[s.ID] {
		if went > s.Since { // else the log knows of it
			last = min(last, went)
			break
		}
	}
	if booted = r.line.own(0); booted > r.Off {
		return last, booted, booted
	}
	return last, r.Off, r.line.own(r.line.Steps[0].From)
}

// read returns what is known of a resource, by its file if that is to be read again.
func (r *Reader) read(id resource.ID, again bool) *found {
	r.mu.Lock()
	f := r.found[id]
	if f == nil {
		f = new(found)
		r.found[id] = f
	}
	r.mu.Unlock()
	if !again {
		return f
	}
	is, err := r.Folder.Is(string(id))
	if err != nil || is.Boot != r.Host.Boot {
		is = nil // it is written anew, or of another boot, and says nothing of now
	}
	r.mu.Lock()
	f.is = is
	r.mu.Unlock()
	return f
}

// errUnread says that a report has more to tell once the wallet was read. Then all are looked at again.
var errUnread = errors.New("the wallet is not read yet")

// do executes a report if anything comes of it, and returns what becomes of the resource by it. Before
// the wallet was read it is as much of it as ends nobody's time; the rest is errUnread.
func (r *Reader) do(ctx context.Context, s resource.State, c resource.Report) (resource.State, error) {
	events, err := resource.Decide(s, c)
	var rest error
	for read := r.isRead(); err == nil && !read && slices.ContainsFunc(events, ends); events, err = resource.Decide(s, c) {
		rest = errUnread
		if !shorten(&c) {
			return s, rest
		}
	}
	if err == nil && len(events) > 0 {
		err = r.Report(ctx, s.ID, c)
	}
	if err != nil {
		if ctx.Err() == nil {
			r.Failed(s.ID, err)
		}
		return s, err
	}
	if len(events) > 0 {
		r.Reported(s.ID, events)
	}
	for _, e := range events {
		s = resource.Evolve(s, e)
	}
	return s, rest
}

// ends reports whether the time of a resource ends by an event.
func ends(e resource.Event) bool {
	_, ok := e.(*resource.Exhausted)
	return ok
}
