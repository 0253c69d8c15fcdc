package request

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
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
	names = s.lapseTokens(names, &s.paid, now.Add(-Keep))
	names = s.lapseTokens(names, &s.canceled, now.Add(-Settling))
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

// lapseTokens takes out what a token was to pay, and that expired before an instant.
func (s *Set) lapseTokens(names []string, of *expiries, before instant.Time) []string {
	for of.Len() > 0 && len(names) < lapseMost && of.first().Expiry < before {
		e := of.first()
		names = append(names, e.Name())
		of.remove(e)
		s.removeToken(e)
	}
	return names
}

func (s *Set) forget(ctx context.Context, names []string) {
	if err := s.store.Forget(ctx, names); err != nil && !errors.Is(err, context.Canceled) {
		s.fail(err) // they come back at the next start, and lapse again
	}
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

// PayableAt returns how many invoices of a node's wallet may still bring money.
func (s *Set) PayableAt(node string) (n int) {
	for _, r := range s.Payable() {
		if r.Node == node {
			n++
		}
	}
	return n
}
