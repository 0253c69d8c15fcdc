package request

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

const (
	// Keep is how long an order is kept after its last invoice, if there is room: until then
	// it can be asked for again at its terms.
	Keep = 7 * instant.Day
	// Settling is how long after its expiry an invoice may still settle: what a wallet had
	// accepted by then. A sweep that began later has seen all that it will ever bring.
	Settling = 10 * instant.Minute
	// lapseEvery is how often what lapsed is let go.
	lapseEvery = time.Minute
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
		hosts: map[string]int{}, reserved: reserved{}, ofNode: map[string]int{}, listeners: watch.Listeners[resource.ID]{},
		caughtUp: make(chan struct{}),
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
		if gone || ok && (known.Released > 0 || r.Released == 0) {
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

// expire moves what has expired by now.
func (s *Set) expire(now instant.Time) {
	for s.expiring.Len() > 0 && s.expiring.first().Expiry <= now {
		e := s.expiring.first()
		s.expiring.remove(e)
		*s.counter(e)--
		s.expiredAt(e.Node).put(e)
		s.listeners.Tell(e.Resource)
	}
}

// expiredAt returns the invoices of a wallet that are not to be paid any more.
func (s *Set) expiredAt(node string) *expiries {
	if s.expired[node] == nil {
		s.expired[node] = new(expiries)
	}
	return s.expired[node]
}

// Done takes a record out, as soon as the read models show what the log has up to written: whoever
// looks finds it in one or the other. The log has what it says, by the payment of that name or the
// address. A store that forgets by itself may yield it once more, after a restart: then it is
// looked for again, and found in the log, as it is where ctx ends before.
func (s *Set) Done(ctx context.Context, name string, written stream.Position) {
	if _, ok := s.find(name); !ok || s.shown != nil && s.shown(ctx, written) != nil {
		return
	}
	s.mu.Lock()
	e, ok := s.byName.get(name)
	if ok {
		s.gone[name] = max(e.Expiry, s.now()).Add(Settling)
		s.drop(e)
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
	if e.Released == 0 {
		s.removeOf(e)
	}
	s.listeners.Tell(e.Resource)
}

// sweeps are what is known of a wallet.
type sweeps struct {
	began   instant.Time // when its last sweep that was finished began, 0 if none was
	ours    bool         // we sweep it
	retired bool         // nobody does
}

// Swept says that our sweep of a wallet that began then has seen, and booked, all that was paid
// by then.
func (s *Set) Swept(node string, began instant.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.wallets[node]
	s.wallets[node] = sweeps{max(w.began, began), true, w.retired}
	s.someOurs = true
}

// Heard says what the log tells of a wallet: up to when all that was paid there is booked, 0
// if that is not known, and whether it is retired, so that nobody waits for what its invoices
// bring.
func (s *Set) Heard(node string, began instant.Time, retired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.wallets[node]
	s.wallets[node] = sweeps{max(w.began, began), w.ours, retired}
}

// dead reports whether an invoice can bring nothing any more: its wallet was swept since, or is
// retired. Of a wallet that another daemon sweeps, and is not heard of, it is taken for granted
// after [Keep].
func (s *Set) dead(e *entry, now instant.Time) bool {
	w := s.wallets[e.Node]
	switch {
	case w.began > e.Expiry.Add(Settling), w.retired && !w.ours:
		return true
	case w.ours:
		return false
	}
	return s.someOurs && now > e.Expiry.Add(Keep)
}

func (s *Set) lapseAgain(ctx context.Context) {
	for watch.Pause(ctx, lapseEvery) {
		s.Lapse(ctx)
	}
}

// lapseMost is how many records lapse at once: who keeps one waits for no more.
const lapseMost = 32

// Lapse lets go of the invoices that nobody paid: of those that can't be paid any more the ones
// that are older than [Keep], and of the others the oldest for which there is no room. In
// between it rests for as long as that took: so an hour's orders, or a week's, lapse beside new
// ones, and the slower the disk is the slower.
func (s *Set) Lapse(ctx context.Context) {
	for names := s.lapse(); len(names) > 0; names = s.lapse() {
		began := time.Now()
		s.forget(ctx, names)
		if !watch.Pause(ctx, time.Since(began)) {
			return
		}
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.reserved {
		s.unreserve(at)
	}
	maps.DeleteFunc(s.gone, func(_ string, until instant.Time) bool { return now > until })
	if len(s.gone) == 0 {
		s.gone = map[string]instant.Time{}
	}
}

// lapse takes out what lapsed, up to lapseMost records, and returns their names.
func (s *Set) lapse() (names []string) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	for node, expired := range s.expired {
		for expired.Len() > 0 && len(names) < lapseMost {
			e := expired.first()
			late := now > e.Expiry.Add(Keep) || s.byName.n-len(s.addresses.byAge)-s.expiring.Len() > s.most
			if !late || !s.dead(e, now) {
				break // as are those that expired later
			}
			names = append(names, e.Name())
			s.drop(e)
		}
		if expired.Len() == 0 {
			delete(s.expired, node)
		}
	}
	return names
}

func (s *Set) forget(ctx context.Context, names []string) {
	if err := s.store.Forget(ctx, names); err != nil && !errors.Is(err, context.Canceled) {
		s.fail(err) // they come back at the next start, and lapse again
	}
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

// Payable returns the invoices that may still bring money.
func (s *Set) Payable() []*Record {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var payable []*entry
	for _, all := range append(slices.Collect(maps.Values(s.expired)), s.expiring) {
		for _, e := range all.list {
			if !s.dead(e, now) {
				payable = append(payable, e)
			}
		}
	}
	return records(payable)
}

// CanBePaid reports whether an invoice of a resource may still bring money.
func (s *Set) CanBePaid(id resource.ID) bool {
	return len(s.PayableOf(id)) > 0
}

// PayableOf returns the invoices of a resource that may still bring money, oldest first.
func (s *Set) PayableOf(id resource.ID) []*Record {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	list, _ := s.ofID.get(id)
	list = slices.DeleteFunc(slices.Clone(list), func(e *entry) bool { return e.Key == "" || s.dead(e, now) })
	return records(list)
}

// AddressesOf returns how many of the addresses are of a node's wallet.
func (s *Set) AddressesOf(node string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ofNode[node]
}

// PayableAt returns how many invoices of a node's wallet may still bring money.
func (s *Set) PayableAt(node string) (n int) {
	for _, r := range s.Payable() {
		if r.Node == node {
			n++
		}
	}
	return n
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
