// Package unlogged keeps what pays orders on the chain, and no block holds: it is shown, and is
// not in the log.
package unlogged

import (
	"slices"
	"sync"

	"sandglass/domain/payment"
	"sandglass/domain/resource"
)

// Payments are what the last sweep saw. The zero Payments are none. Their methods may be called
// from anywhere at any time.
type Payments struct {
	mu    sync.Mutex // guards what follows
	byKey map[payment.Key]payment.State
	ofID  map[resource.ID][]payment.Key
}

// SetUnlogged replaces them, and returns the resources of which others are shown now.
func (p *Payments) SetUnlogged(list []payment.State) (changed []resource.ID) {
	byKey, ofID := map[payment.Key]payment.State{}, map[resource.ID][]payment.Key{}
	for _, s := range list {
		byKey[s.Key] = s
		ofID[s.Resource] = append(ofID[s.Resource], s.Key)
	}
	p.mu.Lock()
	was := p.ofID
	p.byKey, p.ofID = byKey, ofID
	p.mu.Unlock()
	for id, keys := range ofID {
		if !slices.Equal(was[id], keys) {
			changed = append(changed, id)
		}
	}
	for id := range was {
		if ofID[id] == nil {
			changed = append(changed, id)
		}
	}
	return changed
}

// Unlogged returns those of a resource.
func (p *Payments) Unlogged(id resource.ID) (list []payment.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range p.ofID[id] {
		list = append(list, p.byKey[key])
	}
	return list
}

// UnloggedPayment returns one, or false if it is none of them.
func (p *Payments) UnloggedPayment(key payment.Key) (payment.State, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.byKey[key]
	return s, ok
}

// AddUnlogged adds one, until [Payments.SetUnlogged] says what there is, and reports whether it
// was new.
func (p *Payments) AddUnlogged(s payment.State) (added bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.byKey[s.Key]; ok {
		return false
	}
	if p.byKey == nil {
		p.byKey, p.ofID = map[payment.Key]payment.State{}, map[resource.ID][]payment.Key{}
	}
	p.byKey[s.Key] = s
	p.ofID[s.Resource] = append(p.ofID[s.Resource], s.Key)
	return true
}
