package reports_test

import (
	"fmt"
	"testing"
	"time"

	"sandglass/domain/enforce"
	"sandglass/domain/resource"
)

// TestTenThousand are 10,000 resources on a host, of which 1,000 change in a minute: each change is
// read at once, and all once a minute; nothing is written twice.
func TestTenThousand(t *testing.T) {
	const all, change = 10_000, 1_000
	on(t, func(h *host) {
		h.keeper(false) // its files are written here
		h.stopDaemon()
		h.stopDaemon = nil
		id := func(i int) resource.ID { return resource.ID(fmt.Sprint("vm-", i)) }
		is := func(i int, s enforce.State, o ...enforce.Outage) {
			found := &enforce.Is{ID: string(id(i)), State: s, Since: h.since(), First: 1, Boot: h.boot(), Outages: o}
			if err := h.SaveIs(found); err != nil {
				t.Fatal(err)
			}
		}
		for i := range all {
			h.open(id(i), 100*time.Hour, resource.Terms{})
			is(i, enforce.Up)
		}
		beat := func() {
			if err := h.SaveBeat(&enforce.Beat{Boot: h.boot(), At: h.since(), Looked: true}); err != nil {
				t.Fatal(err)
			}
		}
		beat()
		count := func() (reads, writes int) {
			h.files.mu.Lock()
			defer h.files.mu.Unlock()
			h.log.mu.Lock()
			defer h.log.mu.Unlock()
			reads, writes = h.reads, h.writes
			h.reads, h.writes = 0, 0
			return reads, writes
		}
		count()
		h.startReader()
		h.pass(time.Second)
		if reads, writes := count(); writes != all || reads > 3*all {
			t.Errorf("at the start %d reads and %d writes", reads, writes)
		}
		h.pass(30 * time.Second)
		count()
		for i := range change {
			down := h.since() - 20_000
			is(i, enforce.Down, enforce.Outage{From: down})
			beat()
			h.pass(time.Minute / change)
			h.status(id(i), resource.StatusStarting)
		}
		if reads, writes := count(); writes != change || reads > all+4*change {
			t.Errorf("in a minute %d reads and %d writes", reads, writes)
		}
		h.pass(10 * time.Minute)
		if reads, writes := count(); writes != 0 || reads > 11*all {
			t.Errorf("in ten quiet minutes %d reads and %d writes", reads, writes)
		}
	})
}
