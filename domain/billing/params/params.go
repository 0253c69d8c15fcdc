// Package params takes what orders and holders say of resources, as their plans declare it, and keeps it
// beside the log: the log has a hash of it alone.
//
// Values are kept on the host of their resource, by their hash, before anything has the hash: first what
// is kept, then an order or the log that names it. What nothing names any more is forgotten ([Service.Run]):
// that of orders that can't be paid, of what was released, and of what was set anew.
package params

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"sandglass/domain/billing/held"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/plan/param"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/resource/config"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// Errors. Nothing was changed.
var (
	// ErrElsewhere says that values are kept on the host of their resource alone.
	ErrElsewhere = errors.New("params: it belongs to another host")
	// ErrFull says that so many orders have values that no more are kept.
	ErrFull = errors.New("params: too much is kept of orders that nobody has paid")
)

// Kept is what is kept of the parameters of one order, or of one setting.
type Kept struct {
	Resource resource.ID
	Salt     [16]byte
	Values   param.Values
}

// Ref names what is kept.
type Ref struct {
	Resource resource.ID
	Hash     config.Hash
}

// Ref returns what names k for good.
func (k *Kept) Ref() Ref { return Ref{k.Resource, k.Values.Hash(k.Salt)} }

// Store keeps values durably. Its methods may be called from anywhere.
type Store interface {
	// Keep returns once k is durable. Kept again it is the same.
	Keep(k *Kept) error
	// Find returns what is kept by that name, [fs.ErrNotExist] if nothing is.
	Find(Ref) (*Kept, error)
	// Forget lets go of it, if it is there.
	Forget(Ref) error
	// All yields the names of all that is kept. It ends with the first error.
	All() iter.Seq2[Ref, error]
	// Size returns how many bytes are kept.
	Size() int64
}

// Views are the read models that are asked.
type Views interface {
	Plan(name string) (plan.State, bool)
	Resource(id resource.ID) (resource.State, stream.Revision, bool)
	PaymentsOf(id resource.ID) []payment.State
	CaughtUp() <-chan struct{}
}

// Service takes values. All fields but Failed are set by the caller that makes it.
type Service struct {
	Store     Store
	Views     Views
	Requests  *request.Set
	Resources *resource.Handler
	Host      string // of this daemon; empty where there is one machine
	When      func() resource.When
	Random    io.Reader
	MaxBytes  int64       // that orders may take, with what is kept else; 0 is no bound
	Failed    func(error) // is told what can't be read or forgotten; may be nil

	setting sync.Mutex // one is set at a time

	mu   sync.Mutex  // guards what follows
	idle map[Ref]int // how often in a row nothing needed it
}

// Order returns what is to be kept of an order, as its plan declares it, nil if it says nothing. The salt
// is as secret as the values.
func (s *Service) Order(p *plan.State, id resource.ID, salt [16]byte, given param.Values) (*Kept, error) {
	values, err := p.Params.Complete(given)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	return &Kept{id, salt, values}, nil
}

// Keep keeps what an order says, before its invoice is given out.
func (s *Service) Keep(k *Kept) error {
	s.mu.Lock()
	delete(s.idle, k.Ref())
	s.mu.Unlock()
	if _, err := s.Store.Find(k.Ref()); err == nil {
		return nil
	}
	if s.MaxBytes > 0 && s.Store.Size() >= s.MaxBytes {
		return ErrFull
	}
	return s.Store.Keep(k)
}

// Values returns what a resource is to be told, and false if it is not kept here: it was deleted, or lost,
// or the resource was on another host.
func (s *Service) Values(id resource.ID, hash config.Hash) (param.Values, bool) {
	if hash == (config.Hash{}) {
		return nil, true
	}
	k, err := s.Store.Find(Ref{id, hash})
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.fail(err)
		}
		return nil, false
	}
	return k.Values, true
}

func (s *Service) fail(err error) {
	if s.Failed != nil {
		s.Failed(err)
	}
}

// Set changes some parameters of a resource: an empty value takes one away. What is as it was changes
// nothing.
func (s *Service) Set(ctx context.Context, meta stream.Meta, id resource.ID, changed param.Values) (resource.Outcome, error) {
	s.setting.Lock()
	defer s.setting.Unlock()
	out, err := s.load(ctx, meta, id)
	if err != nil {
		return out, err
	}
	p, ok := s.Views.Plan(out.State.Plan)
	if !ok {
		return out, fmt.Errorf("%w: %q", plan.ErrUnknown, out.State.Plan)
	}
	if err := p.Params.CheckNames(changed); err != nil {
		return out, err
	}
	before, is := s.Values(id, out.State.Config.Of())
	values, err := p.Params.Complete(p.Params.Known(before).Merge(changed))
	if err != nil || is && maps.Equal(before, values) {
		return out, err
	}
	k := &Kept{Resource: id, Values: values}
	if _, err := io.ReadFull(s.Random, k.Salt[:]); err != nil {
		return out, fmt.Errorf("params: reading random bytes: %w", err)
	}
	c := resource.Configure{When: s.When(), Params: k.Ref().Hash}
	if _, err := resource.Decide(out.State, c); err != nil { // before anything is kept
		return out, err
	}
	if err := s.Store.Keep(k); err != nil {
		return out, err
	}
	return s.execute(ctx, meta, id, out.State.Config.Of(), c)
}

// Delete deletes the parameters of a resource. What runs was told them, and they are told to what stops
// it.
func (s *Service) Delete(ctx context.Context, meta stream.Meta, id resource.ID) (resource.Outcome, error) {
	s.setting.Lock()
	defer s.setting.Unlock()
	out, err := s.load(ctx, meta, id)
	if err != nil {
		return out, err
	}
	return s.execute(ctx, meta, id, out.State.Config.Of(), resource.Configure{When: s.When()})
}

// load returns a resource of this host that may be told something else now.
func (s *Service) load(ctx context.Context, meta stream.Meta, id resource.ID) (resource.Outcome, error) {
	out, err := s.Resources.Load(ctx, id)
	switch r := &out.State; {
	case err != nil:
		return out, err
	case r.Status == resource.StatusNone:
		if _, _, ordered := s.Requests.Order(id); ordered {
			return out, resource.ErrNoTime
		}
		return out, resource.ErrNotOpened
	case s.Host != "" && r.Host != s.Host:
		return out, fmt.Errorf("%w: ask the daemon of %q", ErrElsewhere, r.Host)
	}
	return out, held.Check(s.Views, resource.Reason(meta.Actor), &out.State)
}

// execute executes c, and forgets what was kept before it.
func (s *Service) execute(
	ctx context.Context, meta stream.Meta, id resource.ID, before config.Hash, c resource.Configure,
) (resource.Outcome, error) {
	out, err := s.Resources.Execute(ctx, id, meta, c)
	if err != nil || before == c.Params || before == (config.Hash{}) {
		return out, err
	}
	if err = s.Store.Forget(Ref{id, before}); err != nil && c.Params != (config.Hash{}) {
		s.fail(err) // they are set all the same, and this is tried again
		err = nil
	}
	return out, err
}

// What nothing needs is looked for so often, and forgotten once nothing needed it so many times: an order
// that is being made names its values a while after they are kept.
const (
	tidyEvery = time.Minute
	tidyAfter = 5
)

// Run forgets what nothing needs, until ctx ends, and then returns nil.
func (s *Service) Run(ctx context.Context) error {
	for _, ready := range []<-chan struct{}{s.Views.CaughtUp(), s.Requests.CaughtUp()} {
		select {
		case <-ctx.Done():
			return nil
		case <-ready:
		}
	}
	for s.Tidy(); watch.Pause(ctx, tidyEvery); {
		s.Tidy()
	}
	return nil
}

// Tidy forgets what nothing needs by now.
func (s *Service) Tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, idle := s.When().At, map[Ref]int{}
	for ref, err := range s.Store.All() {
		if err == nil && !s.isNeeded(&ref, now) {
			if idle[ref] = s.idle[ref] + 1; idle[ref] >= tidyAfter {
				err = s.Store.Forget(ref)
			}
		}
		if err != nil {
			s.fail(err)
		}
	}
	s.idle = idle
}

// isNeeded reports whether values are those of a resource, or of an order that may still be paid: by an
// invoice, by a payment that is on its way, or within a day by an address.
func (s *Service) isNeeded(e *Ref, now instant.Time) bool {
	if r, _, ok := s.Views.Resource(e.Resource); ok && r.Config.Of() == e.Hash {
		return r.Status != resource.StatusReleased
	}
	if slices.ContainsFunc(s.Views.PaymentsOf(e.Resource), func(p payment.State) bool {
		return p.Order != nil && p.Order.Params == e.Hash
	}) {
		return true
	}
	return slices.ContainsFunc(s.Requests.Of(e.Resource), func(r *request.Record) bool {
		until := r.Expiry.Add(request.Settling)
		if r.Key == "" {
			until = r.At.Add(instant.Day)
		}
		return r.Order != nil && r.Order.Params == e.Hash && now < until
	})
}
