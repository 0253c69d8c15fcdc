package request

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// Set is the fold of all records, of all hosts. Its methods may be called from anywhere.
type Set struct {
	store Store
	now   func() instant.Time
	most  int
	retry watch.Retry
	fail  func(error)
	shown func(context.Context, stream.Position) error

	mu        sync.Mutex // guards what follows
	byName    parts[string, *entry]
	ofID      parts[resource.ID, []*entry] // oldest first
	addresses addresses
	ofNode    map[string]int // addresses, by the wallet that holds their key
	hosts     map[string]int // records of orders, by their host
	reserved  reserved
	someOurs  bool // we have swept a wallet
	open      Counts
	expiring  *expiries               // invoices that have not expired
	expired   map[string]*expiries    // those that have, or were released, by the wallet that takes their money
	byToken   map[[32]byte][]*entry   // invoices that a token of digital cash is to pay, or has, oldest first
	paid      expiries                // of these the ones that are done
	canceled  expiries                // likewise, of which nobody can pay any more
	gone      map[string]instant.Time // names that the log has, until their record is not news any more
	wallets   map[string]sweeps       // by node
	listeners watch.Listeners[resource.ID]

	caughtUp chan struct{}
}

// Counts are what bounds look at.
type Counts struct {
	Orders   int // invoices of resources that nobody has paid yet, which have not expired
	Invoices int // of all others, likewise
}

// entry is a record in a Set.
type entry struct {
	*Record
	in *expiries // the heap that it is in, or nil
	i  int       // its place there
}

// Options are what a Set works with.
type Options struct {
	Store  Store
	Now    func() instant.Time
	Most   int         // records of invoices that are kept at most, of those that can't be paid any more
	Failed func(error) // is told why the store is read anew, or does not forget; may be nil
	// Shown, if not nil, returns once what the log has up to there is shown by the read models, or
	// the error of ctx.
	Shown func(context.Context, stream.Position) error
}

// New returns an empty set, which [Set.Run] fills.
func New(o Options) *Set {
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	return &Set{
		store: o.Store, now: o.Now, most: o.Most, fail: o.Failed, shown: o.Shown, retry: watch.Retry{}.OrDefaults(),
		gone: map[string]instant.Time{}, expiring: new(expiries), expired: map[string]*expiries{}, wallets: map[string]sweeps{},
		hosts: map[string]int{}, reserved: reserved{}, ofNode: map[string]int{}, byToken: map[[32]byte][]*entry{},
		listeners: watch.Listeners[resource.ID]{},
		caughtUp:  make(chan struct{}),
	}
}

// Run follows the store until ctx ends, and then returns nil. What it reads twice it has once.
// A record of a newer build ends it with a [stream.UnknownError].
func (s *Set) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { s.lapseAgain(ctx) })
	for failures := 0; ctx.Err() == nil; failures++ {
		err := errEnded
		for run, failed := range s.store.Follow(ctx) {
			if failed != nil {
				err = failed
				break
			}
			failures = 0
			s.add(run...)
			if len(run) == 0 {
				s.markCaughtUp()
			}
		}
		if _, newer := errors.AsType[*stream.UnknownError](err); newer {
			return err
		}
		if ctx.Err() == nil {
			s.fail(err)
			s.retry.Wait(ctx, failures, err)
		}
	}
	return nil
}

// errEnded says that a store ended what ends only with its context.
var errEnded = errors.New("request: the store does not follow any more")

func (s *Set) markCaughtUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.caughtUp:
	default:
		close(s.caughtUp)
	}
}

// CaughtUp is closed when all records that were kept are in the set.
func (s *Set) CaughtUp() <-chan struct{} { return s.caughtUp }

// Keep keeps a record durably; it is in the set when that returns. It must not be given out
// after an error.
func (s *Set) Keep(ctx context.Context, r *Record) error {
	if err := s.store.Keep(ctx, r); err != nil {
		return err
	}
	s.add(r)
	return nil
}

// add puts records into the set, but those that the log has.
func (s *Set) add(run ...*Record) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	for _, r := range run {
		name := r.Name()
		_, gone := s.gone[name]
		known, ok := s.byName.get(name)
		if gone || ok && known.Rank() >= r.Rank() {
			continue
		}
		if ok {
			s.drop(known)
		}
		e := &entry{Record: r}
		s.byName.put(name, e)
		if r.Released == 0 { // else it is of nothing any more
			s.putOf(e)
		}
		s.putToken(e)
		if r.Key == "" {
			s.addresses.put(e)
			s.ofNode[r.Node]++
		} else if r.Released > 0 {
			s.expiredAt(r.Node).put(e)
		} else {
			*s.counter(e)++
			s.expiring.put(e)
			s.reserved.put(e)
		}
		s.listeners.Tell(r.Resource)
	}
	s.expire(now)
}

// putOf puts e among what its resource asks for.
func (s *Set) putOf(e *entry) {
	list, _ := s.ofID.get(e.Resource)
	at, _ := slices.BinarySearchFunc(list, e, older)
	s.ofID.put(e.Resource, slices.Insert(list, at, e))
	if e.Order != nil {
		s.hosts[e.Order.Host]++
	}
}

// removeOf takes e out of what its resource asks for.
func (s *Set) removeOf(e *entry) {
	if e.Order != nil {
		if s.hosts[e.Order.Host]--; s.hosts[e.Order.Host] == 0 {
			delete(s.hosts, e.Order.Host)
		}
	}
	list, _ := s.ofID.get(e.Resource)
	if list = slices.DeleteFunc(list, func(other *entry) bool { return other == e }); len(list) == 0 {
		s.ofID.remove(e.Resource)
	} else {
		s.ofID.put(e.Resource, list)
	}
}

// counter is where an invoice that has not expired counts.
func (s *Set) counter(e *entry) *int {
	if e.Order != nil {
		return &s.open.Orders
	}
	return &s.open.Invoices
}

// Done takes a record out, as soon as the read models show what the log has up to written: whoever
// looks finds it in one or the other. The log has what it says, by the payment of that name or the
// address. A store that forgets by itself may yield it once more, after a restart: then it is
// looked for again, and found in the log, as it is where ctx ends before.
func (s *Set) Done(ctx context.Context, name string, written stream.Position) {
	s.done(ctx, name, written, &s.paid, Keep)
}

// Canceled takes out the record of an invoice that nobody can pay any more. That a token was to pay it is known
// for as long as it would have been open: tokens cost strangers nothing until they pay.
func (s *Set) Canceled(ctx context.Context, name string) { s.done(ctx, name, 0, &s.canceled, Settling) }

func (s *Set) done(ctx context.Context, name string, written stream.Position, tokens *expiries, kept instant.Millis) {
	if _, ok := s.find(name); !ok || s.shown != nil && s.shown(ctx, written) != nil {
		return
	}
	s.mu.Lock()
	e, ok := s.byName.get(name)
	if ok {
		keep := instant.Millis(Settling)
		s.drop(e)
		if e.Cash.Quote != "" { // who sends the token again is told by it what it bought
			s.putToken(e)
			tokens.put(e)
			ok, keep = false, kept
		}
		s.gone[name] = max(e.Expiry, s.now()).Add(keep)
	}
	s.mu.Unlock()
	if ok {
		s.forget(ctx, []string{name})
	}
}

func (s *Set) drop(e *entry) {
	switch in := e.in; in {
	case nil:
		s.addresses.remove(e)
		if s.ofNode[e.Node]--; s.ofNode[e.Node] == 0 {
			delete(s.ofNode, e.Node)
		}
	case s.expiring:
		*s.counter(e)--
		fallthrough
	default:
		in.remove(e)
	}
	s.byName.remove(e.Name())
	s.removeToken(e)
	if e.Released == 0 {
		s.removeOf(e)
	}
	s.listeners.Tell(e.Resource)
}

// Find returns the record of a payment, if there is one.
func (s *Set) Find(key payment.Key) (*Record, bool) { return s.find(string(key)) }

// FindAddress returns the record of an address, if there is one.
func (s *Set) FindAddress(address string) (*Record, bool) { return s.find(address) }

func (s *Set) find(name string) (*Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byName.get(name)
	if !ok {
		return nil, false
	}
	return e.Record, true
}

// Order returns the order that an id is of by now, as its latest record has it, and the
// resource that it would open. ok is false where there is none.
func (s *Set) Order(id resource.ID) (r *Record, opens resource.State, ok bool) {
	for _, r := range slices.Backward(s.Of(id)) {
		if r.Order == nil {
			continue
		}
		if opens, err := resource.Opens(id, r.Order, r.At); err == nil {
			return r, opens, true
		}
	}
	return nil, opens, false
}

// Asks reports whether an invoice asks for an amount or less: one of an order, or of a resource
// that is open, where o is nil.
func (s *Set) Asks(id resource.ID, o *resource.Order, amount money.Msat) bool {
	return slices.ContainsFunc(s.Of(id), func(r *Record) bool {
		same := r.Order == nil && o == nil || r.Order != nil && o != nil && r.Order.Same(o)
		return same && r.Amount > 0 && r.Amount <= amount
	})
}

// Of returns the records of a resource, oldest first, whether they can be paid or not, but for
// those of orders that were released.
func (s *Set) Of(id resource.ID) []*Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, _ := s.ofID.get(id)
	return records(list)
}

func records(entries []*entry) []*Record {
	list := make([]*Record, len(entries))
	for i, e := range entries {
		list[i] = e.Record
	}
	return list
}

// Orders returns up to limit ids of orders that come after the given one, by id. It looks at all
// that there are, which is for operators, and holds nobody up meanwhile.
func (s *Set) Orders(after resource.ID, limit int) (ids []resource.ID) {
	for i := range s.ofID.maps {
		ids = s.ordersIn(i, after, ids)
		slices.Sort(ids)
		ids = ids[:min(len(ids), limit)]
	}
	return ids
}

// ordersIn adds to ids those of one part.
func (s *Set) ordersIn(i int, after resource.ID, ids []resource.ID) []resource.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, list := range s.ofID.maps[i] {
		if id > after && slices.ContainsFunc(list, func(e *entry) bool { return e.Order != nil }) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Hosts returns how many invoices and addresses there are of orders of each host.
func (s *Set) Hosts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.hosts)
}

// Open returns how many invoices have not expired.
func (s *Set) Open() Counts {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	return s.open
}

// AddressesOf returns how many of the addresses are of a node's wallet.
func (s *Set) AddressesOf(node string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ofNode[node]
}

// AddressesSince returns how many of the addresses were made after an instant.
func (s *Set) AddressesSince(t instant.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addresses.since(t)
}

// Addresses returns the records of addresses, oldest first.
func (s *Set) Addresses() []*Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return records(s.addresses.byAge)
}

// LowestAddress returns the lowest height at which an address was made, or false if none was.
func (s *Set) LowestAddress() (height int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.addresses.heights) == 0 {
		return 0, false
	}
	return s.addresses.heights[0], true
}

// Watch gives c, which holds one, a token after the records of a resource have changed. stop
// ends the watch; it may be called twice.
func (s *Set) Watch(id resource.ID, c chan struct{}) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.Add(id, c)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listeners.Remove(id, c)
	}
}

// Touch tells who watches a resource that what is shown of it has changed.
func (s *Set) Touch(id resource.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.Tell(id)
}
