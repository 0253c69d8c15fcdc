package esdbserver

import (
	"sync"
	"time"

	"sandglass/testutil/esdbserver/eventlog"
)

// replication knows what was written lately, which followers don't have yet.
type replication struct {
	after time.Duration

	mu     sync.Mutex
	recent []written // in the order of the log
}

// written is one write: at what time the log was how long before it.
type written struct {
	at     time.Time
	before uint32
}

// begin notes a write, of a log of that length.
func (r *replication) begin(length uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(time.Now())
	r.recent = append(r.recent, written{time.Now(), length})
}

// limit returns how much of a log of that length a follower has.
func (r *replication) limit(length uint32) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(time.Now())
	if len(r.recent) > 0 {
		return min(length, r.recent[0].before)
	}
	return length
}

// clear drops all: followers have what the log has.
func (r *replication) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recent = nil
}

// forget drops what followers have by now. The caller holds mu.
func (r *replication) forget(now time.Time) {
	old := 0
	for old < len(r.recent) && now.Sub(r.recent[old].at) >= r.after {
		old++
	}
	r.recent = append(r.recent[:0], r.recent[old:]...)
}

// write does a write, of which followers are told later. The leader has it, also if it leads
// no more when that is read.
func (c *Cluster) write(write func() eventlog.Written) eventlog.Written {
	if len(c.nodes) == 1 {
		return write()
	}
	c.lag.begin(c.log.Len())
	leader := c.nodes[c.Leader()]
	res := write()
	leader.gets(c.log.Len())
	time.AfterFunc(c.options.Lag, c.log.Wake)
	return res
}
