package build

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// A report turns what "go build -v" prints, a package a line, into a line every
// few seconds.
type report struct {
	progress io.Writer
	start    time.Time
	quit     chan struct{}
	done     chan struct{}

	mu     sync.Mutex // guards what follows
	rest   []byte     // a line that has no end yet
	last   []string   // the last lines, for errors
	counts int        // of all lines
}

func newReport(progress io.Writer) *report {
	r := &report{progress: progress, start: time.Now(), quit: make(chan struct{}), done: make(chan struct{})}
	fmt.Fprintln(progress, "devnet: building btcd and lnd: about 5 minutes the first time, then cached")
	go r.run()
	return r
}

func (r *report) run() {
	defer close(r.done)
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.print()
		case <-r.quit:
			return
		}
	}
}

// stop waits for the last line, so that nobody writes to progress after it.
func (r *report) stop() {
	close(r.quit)
	<-r.done
	fmt.Fprintf(r.progress, "devnet: build ended after %s\n", time.Since(r.start).Round(time.Second))
}

func (r *report) print() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := "reading what is cached, or linking"
	if r.counts > 0 {
		now = r.last[len(r.last)-1] + ", or linking"
	}
	fmt.Fprintf(r.progress, "devnet: building, %s, %d packages, now %s\n",
		time.Since(r.start).Round(time.Second), r.counts, now)
}

func (r *report) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest = append(r.rest, p...)
	for {
		line, rest, ok := bytes.Cut(r.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		r.last = append(r.last[max(0, len(r.last)-30):], string(line))
		r.counts++
		r.rest = rest
	}
}

func (r *report) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.last)
}
