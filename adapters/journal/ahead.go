package journal

import (
	"iter"
	"sync"

	"sandglass/domain/stream"
)

// What is read ahead: so many runs of so many records.
const (
	runs    = 4
	runSize = 512
)

// ahead yields records that another goroutine reads meanwhile. It waits for that before it ends.
func ahead(records iter.Seq2[stream.Record, error]) iter.Seq2[stream.Record, error] {
	type run struct {
		records []stream.Record
		err     error // after them
	}
	return func(yield func(stream.Record, error) bool) {
		full, free := make(chan run, runs), make(chan []stream.Record, runs+1)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		defer wg.Wait()
		defer close(stop)
		for range runs {
			free <- make([]stream.Record, 0, runSize)
		}
		wg.Go(func() {
			defer close(full)
			now := <-free
			for r, err := range records {
				if err != nil {
					full <- run{now, err}
					return
				}
				if now = append(now, r); len(now) < runSize {
					continue
				}
				full <- run{records: now}
				select {
				case now = <-free:
				case <-stop:
					return
				}
			}
			full <- run{records: now}
		})
		for run := range full {
			for _, r := range run.records {
				if !yield(r, nil) {
					return
				}
			}
			if run.err != nil {
				yield(stream.Record{}, run.err)
				return
			}
			free <- run.records[:0]
		}
	}
}

// seen shows each record that is yielded.
func seen(records iter.Seq2[stream.Record, error], see func(*stream.Record)) iter.Seq2[stream.Record, error] {
	if see == nil {
		return records
	}
	return func(yield func(stream.Record, error) bool) {
		for r, err := range records {
			if err == nil {
				see(&r)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
