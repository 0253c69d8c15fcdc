package watch

import "slices"

// Listeners are the channels that get a token after what they are about has changed, by what
// that is. Each holds one. Whoever holds the lock that guards what changes may call them.
type Listeners[K comparable] map[K][]chan struct{}

// Add gives c a token from now on.
func (l Listeners[K]) Add(about K, c chan struct{}) { l[about] = append(l[about], c) }

// Remove gives c none any more. It may have been removed before.
func (l Listeners[K]) Remove(about K, c chan struct{}) {
	rest := slices.DeleteFunc(l[about], func(other chan struct{}) bool { return other == c })
	if l[about] = rest; len(rest) == 0 {
		delete(l, about)
	}
}

// Tell gives each of them a token. They look after the change, whose lock is held.
func (l Listeners[K]) Tell(about K) {
	for _, c := range l[about] {
		Signal(c)
	}
}
