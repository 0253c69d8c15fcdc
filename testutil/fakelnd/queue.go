package fakelnd

import "context"

// queue is what a subscriber is still to be told. It has no bound, as in lnd. The node's
// mutex guards it.
type queue[T any] struct {
	items []T
	wake  chan struct{} // holds a value if there may be items
}

func newQueue[T any]() *queue[T] { return &queue[T]{wake: make(chan struct{}, 1)} }

func (q *queue[T]) add(items ...T) {
	q.items = append(q.items, items...)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// serve sends what comes into q, until the node's streams end or ctx does. The caller does
// not hold the mutex.
func serve[T any](ctx context.Context, l *Lnd, q *queue[T], ending <-chan struct{}, send func(T) error) error {
	for {
		l.mu.Lock()
		items := q.items
		q.items = nil
		l.mu.Unlock()
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

// subscribers are told all alike.
type subscribers[T any] map[*queue[T]]bool

func (s subscribers[T]) join() *queue[T] {
	q := newQueue[T]()
	s[q] = true
	return q
}

func (s subscribers[T]) tell(item T) {
	for q := range s {
		q.add(item)
	}
}
