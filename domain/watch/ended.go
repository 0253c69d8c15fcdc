package watch

import (
	"sync"

	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
)

// maxEnded is how many payments are remembered as ended, to save reading the log.
const maxEnded = 1 << 16

// Ended remembers payments that are at their end, with what came and when they ended. It
// forgets all when it is full: the log knows.
type Ended struct {
	mu   sync.Mutex // guards ends
	ends map[payment.Key]end
}

type end struct {
	amount money.Msat
	at     instant.Time
}

// Find returns when a payment of that amount ended, if that is remembered.
func (e *Ended) Find(key payment.Key, amount money.Msat) (instant.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	have, ok := e.ends[key]
	return have.at, ok && have.amount == amount
}

// Add remembers a payment that ended.
func (e *Ended) Add(key payment.Key, amount money.Msat, at instant.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ends == nil || len(e.ends) >= maxEnded {
		e.ends = map[payment.Key]end{}
	}
	e.ends[key] = end{amount, at}
}
