package host

import (
	"sync"

	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/watch"
)

// blindness is since when the wallet can't be read.
type blindness struct {
	grace instant.Millis

	mu    sync.Mutex // guards since
	since instant.Time
}

func (b *blindness) at(h watch.Health) wants.Blind {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case h.Condition == watch.Ready:
		b.since = 0
	case b.since == 0:
		b.since = max(h.Since, 1)
	}
	return wants.Blind{Since: b.since, Grace: b.grace}
}
