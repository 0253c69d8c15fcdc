// Package outages tells in few lines of a log what fails many times a minute.
package outages

import (
	"sync"
	"time"
)

// reminders are how long after its begin an outage is told again; after the last of them it is
// told every so often.
var reminders = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

const (
	remindEvery = time.Hour
	// settled is how long something has to go without a failure for its outage to be over: what
	// comes and goes is one outage. What is tried again is so within seconds.
	settled = 10 * time.Minute
)

// Outages turn the failures of what is away, which is tried again many times a minute, into few
// lines of the log: one when an outage begins, one now and then, one when it ends. The zero value
// has none; it can be used by many goroutines. Counters are left to the caller.
type Outages struct {
	mu    sync.Mutex // guards known
	known map[string]*outage
}

type outage struct {
	began    time.Time
	latest   time.Time // failure, or end
	failures int64
	kinds    map[string]bool // those that were told
	reminded int             // of reminders
	next     time.Time       // reminder

	down         bool      // no end was told of since the latest failure
	downSince    time.Time // the first failure after an end
	downFailures int64
	downTold     bool
}

// Span is how long something failed, and how often.
type Span struct {
	Failures int64
	Lasted   time.Duration
}

// Failed counts a failure of a part, and reports whether it is to be told: the first, one of a
// kind that the outage did not have yet, and one for each reminder.
func (o *Outages) Failed(part, kind string) (Span, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	u := o.known[part]
	if u == nil || now.Sub(u.latest) >= settled {
		u = &outage{began: now, next: now.Add(reminders[0]), kinds: map[string]bool{}}
		if o.known == nil {
			o.known = map[string]*outage{}
		}
		o.known[part] = u
	}
	u.count(now)
	tell := !u.kinds[kind] || !now.Before(u.next) || !u.downTold && now.Sub(u.downSince) >= reminders[0]
	if tell {
		u.kinds[kind], u.downTold = true, true
		u.remind(now)
	}
	return Span{u.failures, now.Sub(u.began)}, tell
}

func (u *outage) count(now time.Time) {
	if !u.down {
		u.down, u.downSince, u.downFailures, u.downTold = true, now, 0, false
	}
	u.latest = now
	u.failures++
	u.downFailures++
}

// remind sets when the outage is told next: at the first reminder that is to come.
func (u *outage) remind(now time.Time) {
	for ; u.reminded < len(reminders); u.reminded++ {
		if u.next = u.began.Add(reminders[u.reminded]); u.next.After(now) {
			return
		}
	}
	u.next = now.Add(remindEvery)
}

// Ended says that a part works, and reports whether that is to be told: it failed, and that was.
func (o *Outages) Ended(part string) (Span, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	u := o.known[part]
	if u == nil || !u.down {
		return Span{}, false
	}
	u.down, u.latest = false, time.Now()
	return Span{u.downFailures, u.latest.Sub(u.downSince)}, u.downTold
}
