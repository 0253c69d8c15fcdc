// Package source opens the log that an auditor's command reads: that of the daemon, of its store, or
// of a file of lines of JSON. None of them is written to.
package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"sync"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/auditor/ndjson"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/payment"
	"sandglass/domain/pieces"
	"sandglass/domain/stream"

	"github.com/spf13/cobra"
)

// Flags say where the log comes from; the daemon, if not said.
type Flags struct{ Store, Log string }

// Add adds the flags to a command.
func (f *Flags) Add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Store, "store", "",
		"read the log from this `URL`, such as sqlite:PATH or esdb://HOST:2113, beside the daemon or without one")
	cmd.Flags().StringVar(&f.Log, "log", "", "read the log from a `file` of NDJSON, as \"events\" writes it")
	cmd.MarkFlagsMutuallyExclusive("store", "log")
}

// Check returns an error if what was given can be no log.
func (f *Flags) Check() error {
	if f.Store == "" {
		return nil
	}
	if err := storeurl.CheckFlag(f.Store); err != nil {
		return cli.Usage("--store %w", err)
	}
	return nil
}

// openStore opens the log that a flag names, for reading. Its path is of the working
// folder; all else is as the environment says.
func openStore(ctx context.Context, url string) (storeurl.Store, error) {
	p := storeurl.Place{URL: url}
	if p.Shared() {
		conf, err := config.Load()
		if err != nil {
			return nil, err
		}
		p = conf.LogAt(url)
	}
	return p.OpenReadOnly(ctx)
}

// Seen is a log that is only read, with each record shown to an auditor.
type Seen struct {
	stream.EventStore
	See   func(*stream.Record) // is shown each, before it is yielded
	close func() error
}

// Close closes the log that [Open] opened.
func (l *Seen) Close() error { return l.close() }

// Subscribe implements [stream.EventStore].
func (l *Seen) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		for run, err := range l.EventStore.Subscribe(ctx, after) {
			for i := range run {
				l.See(&run[i])
			}
			if !yield(run, err) {
				return
			}
		}
	}
}

// Open opens the log up to a position.
func Open(
	ctx context.Context, env *cli.Env, f *Flags, until stream.Position, see func(*stream.Record),
) (*Seen, error) {
	switch {
	case f.Store != "":
		s, err := openStore(ctx, f.Store)
		if err != nil {
			return nil, err
		}
		return &Seen{s, see, s.Close}, nil
	case f.Log != "":
		file, err := os.Open(f.Log)
		if err != nil {
			return nil, err
		}
		events := func(context.Context, uint64) iter.Seq2[wire.Event, error] { return readEvents(file) }
		return &Seen{newEventLog(events, until), see, file.Close}, nil
	}
	cl, err := env.Client(cli.Auditor)
	if err != nil {
		return nil, err
	}
	return &Seen{newEventLog(fetched(cl), until), see, func() error { return nil }}, nil
}

func fetched(cl *client.Client) eventsAfter {
	return func(ctx context.Context, after uint64) iter.Seq2[wire.Event, error] {
		return cl.Events(ctx, after, false)
	}
}

// readEvents yields the events of a file of NDJSON.
func readEvents(r io.Reader) iter.Seq2[wire.Event, error] {
	return func(yield func(wire.Event, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 4*stream.MaxData)
		for n := 1; lines.Scan(); n++ {
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue // a sign of life of a log that was followed, or an editor left it at the end
			}
			var e wire.Event
			err := json.Unmarshal(lines.Bytes(), &e)
			if err != nil {
				err = fmt.Errorf("line %d of the log: %w", n, err)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(wire.Event{}, fmt.Errorf("reading the log: %w", err))
		}
	}
}

// eventLog is a log that can be read once, from its begin to a position. The streams of
// payments are kept: a fold asks for one again when late money arrives for it.
type eventLog struct {
	events eventsAfter
	until  stream.Position

	mu       sync.Mutex // guards payments: a fold reads behind the subscription
	payments map[string][]stream.Record
}

// Head implements [stream.EventStore]: what comes later is not of interest.
func (l *eventLog) Head(context.Context) (stream.Position, error) { return l.until, nil }

// Append implements [stream.EventStore].
func (l *eventLog) Append(context.Context, string, stream.Revision, []stream.Event) (stream.Appended, error) {
	return stream.Appended{}, stream.ErrReadOnly
}

// Read implements [stream.EventStore] for the streams of payments, as far as they have
// been read.
func (l *eventLog) Read(_ context.Context, name string, from stream.Revision) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		l.mu.Lock()
		kept := l.payments[name]
		l.mu.Unlock()
		for _, r := range kept {
			if r.Revision >= from && !yield(r, nil) {
				return
			}
		}
	}
}

func newEventLog(events eventsAfter, until stream.Position) *eventLog {
	return &eventLog{events: events, until: until, payments: map[string][]stream.Record{}}
}

// runSize is how many records go to the fold at once.
const runSize = 256

// Subscribe implements [stream.EventStore]. It ends at the position that is of interest,
// and with an error if the log does not reach it.
func (l *eventLog) Subscribe(ctx context.Context, after stream.Position) iter.Seq2[[]stream.Record, error] {
	return func(yield func([]stream.Record, error) bool) {
		var last stream.Position
		run := make([]stream.Record, 0, runSize)
		for e, err := range l.events(ctx, uint64(after)) {
			if err != nil {
				yield(nil, err)
				return
			}
			r, err := ndjson.Record(&e)
			if err != nil {
				yield(nil, err)
				return
			}
			l.keep(&r)
			if r.Position > l.until {
				break
			}
			last = r.Position
			if run = append(run, r); len(run) == runSize {
				if !yield(run, nil) {
					return
				}
				run = run[:0]
			}
		}
		if len(run) > 0 && !yield(run, nil) {
			return
		}
		if last < l.until {
			yield(nil, fmt.Errorf("the log ends at position %d, the figures stand at %d", last, l.until))
		}
	}
}

// keep keeps a record of a payment.
func (l *eventLog) keep(r *stream.Record) {
	if strings.HasPrefix(r.Stream, payment.Prefix) {
		l.mu.Lock()
		l.payments[r.Stream] = append(l.payments[r.Stream], *r)
		l.mu.Unlock()
	}
}

// Growing is a log that is read up to where it ends, and then from there on.
type Growing struct {
	// After yields what comes after a position, up to where the log ends now.
	After recordsAfter
	// Log is all of it up to there, read in pieces.
	Log   func(context.Context) (pieces.Log, error)
	Still bool // a file: it does not grow
	// Checkpoint returns the latest checkpoint of the log, with what cosignatures there are, nil where there is none:
	// of a file there is none, nor of a log that is not signed.
	Checkpoint func(context.Context) ([]byte, error)
	close      func() error
}

// Close closes the log that [Grow] opened.
func (g *Growing) Close() error { return g.close() }

// Grow opens the log that the flags name.
func Grow(ctx context.Context, env *cli.Env, f *Flags) (*Growing, error) {
	switch {
	case f.Store != "":
		s, err := openStore(ctx, f.Store)
		if err != nil {
			return nil, err
		}
		log := func(ctx context.Context) (pieces.Log, error) {
			head, err := s.Head(ctx)
			return pieces.Of(ctx, s, head), err
		}
		return &Growing{After: stored(s), Log: log, Checkpoint: keptBy(s), close: s.Close}, nil
	case f.Log != "":
		file, err := os.Open(f.Log)
		if err != nil {
			return nil, err
		}
		after := func(context.Context, stream.Position) iter.Seq2[stream.Record, error] { return lines(file) }
		none := func(context.Context) ([]byte, error) { return nil, nil }
		log := func(context.Context) (pieces.Log, error) { return ndjson.Log(file), nil }
		return &Growing{After: after, Log: log, Still: true, Checkpoint: none, close: file.Close}, nil
	}
	cl, err := env.Client(cli.Auditor)
	if err != nil {
		return nil, err
	}
	after := records(fetched(cl))
	log := func(ctx context.Context) (pieces.Log, error) { return batches(after(ctx, 0)), nil }
	return &Growing{After: after, Log: log, Checkpoint: shownBy(cl), close: func() error { return nil }}, nil
}

// Reading a log after a position: as the API writes events, and as records.
type (
	eventsAfter  func(ctx context.Context, after uint64) iter.Seq2[wire.Event, error]
	recordsAfter func(ctx context.Context, after stream.Position) iter.Seq2[stream.Record, error]
)

// records yields events as records.
func records(events eventsAfter) recordsAfter {
	return func(ctx context.Context, after stream.Position) iter.Seq2[stream.Record, error] {
		return func(yield func(stream.Record, error) bool) {
			for e, err := range events(ctx, uint64(after)) {
				var r stream.Record
				if err == nil {
					r, err = ndjson.Record(&e)
				}
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// lines yields the records of a file of NDJSON.
func lines(r io.Reader) iter.Seq2[stream.Record, error] {
	return func(yield func(stream.Record, error) bool) {
		n := 0
		for piece, err := range ndjson.Log(r) {
			var page stream.Page // what is yielded may be kept
			if err == nil {
				err = piece(&page)
			}
			for i := range page.Records {
				if n++; !yield(page.Records[i], nil) {
					return
				}
			}
			if err != nil {
				yield(stream.Record{}, fmt.Errorf("event %d of the log: %w", n+1, err))
				return
			}
		}
	}
}

// stored yields the records of a store up to its head.
func stored(s stream.EventStore) recordsAfter {
	return func(ctx context.Context, after stream.Position) iter.Seq2[stream.Record, error] {
		return func(yield func(stream.Record, error) bool) {
			head, err := s.Head(ctx)
			if err != nil {
				yield(stream.Record{}, err)
				return
			}
			stream.Between(ctx, s, after, head)(yield)
		}
	}
}
