// Package queue is what the subscribers of a node are still to be told.
package queue

import (
	"context"
	"sync"
)

// Queue is what a subscriber is still to be told. It has no bound, as in lnd. The node's
// mutex guards it.
type Queue[T any] struct {
	items []T
	wake  chan struct{} // holds a value if there may be items
}

// New returns an empty queue.
func New[T any]() *Queue[T] { return &Queue[T]{wake: make(chan struct{}, 1)} }

// Add adds items.
func (q *Queue[T]) Add(items ...T) {
	q.items = append(q.items, items...)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Serve sends what comes into q, until the node's streams end or ctx does. The caller does
// not hold the mutex.
func Serve[T any](ctx context.Context, mu sync.Locker, q *Queue[T], ending <-chan struct{}, send func(T) error) error {
	for {
		mu.Lock()
		items := q.items
		q.items = nil
		mu.Unlock()
		for _, item := range items {
			if err := send(item); err != nil {
				return err
			}
		}
		select {
		case <-q.wake:
		case <-ending:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Subscribers are told all alike.
type Subscribers[T any] map[*Queue[T]]bool

// Join adds a subscriber.
func (s Subscribers[T]) Join() *Queue[T] {
	q := New[T]()
	s[q] = true
	return q
}

// Tell tells all of them.
func (s Subscribers[T]) Tell(item T) {
	for q := range s {
		q.Add(item)
	}
}
