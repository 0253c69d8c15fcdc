package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/testutil/histories"
)

// bench is one run: its sizes, the logs that it made, and what it measured.
type bench struct {
	config
	sizes
	data     string // a folder of this run, removed at its end
	progress io.Writer
	measure  string // that is running
	report   *report
	logs     map[string]string // path by name, made once in a run
}

// sizes are how much is measured.
type sizes struct {
	rounds      int
	slice       time.Duration // of appends by many clients, in each round
	commits     int           // by a single client, in each round
	events      int           // of the log that is replayed
	resources   int           // that it is about
	many        int           // resources in memory
	settlements int           // at a modest rate
	shared      int           // events of the log that is in a cluster
	deposits    int           // in one block
}

var full = sizes{
	rounds:      5,
	slice:       4 * time.Second,
	commits:     3000,
	events:      1_000_000,
	resources:   100_000,
	many:        1_000_000,
	settlements: 1000,
	shared:      200_000,
	deposits:    5000,
}

var quick = sizes{
	rounds:      3,
	slice:       500 * time.Millisecond,
	commits:     300,
	events:      100_000,
	resources:   10_000,
	many:        50_000,
	settlements: 100,
	shared:      20_000,
	deposits:    500,
}

func newBench(c config, progress io.Writer) (*bench, error) {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(c.dir, "bench-data-*")
	if err == nil {
		data, err = filepath.Abs(data)
	}
	if err != nil {
		return nil, err
	}
	b := &bench{config: c, data: data, progress: progress, logs: map[string]string{}}
	b.sizes = full
	if c.quick {
		b.sizes = quick
	}
	b.report = &report{Started: time.Now().UTC(), Quick: c.quick, Machine: thisMachine(data)}
	b.report.Load.Before = loadAverage()
	return b, nil
}

func (b *bench) close() error { return os.RemoveAll(b.data) }

func (b *bench) say(format string, args ...any) {
	at := time.Since(b.report.Started).Round(100 * time.Millisecond)
	fmt.Fprintf(b.progress, "%7s %s: %s\n", at, b.measure, fmt.Sprintf(format, args...))
}

// path returns a name in the folder of this run.
func (b *bench) path(name string) string { return filepath.Join(b.data, name) }

func now() instant.Time { return instant.Of(time.Now()) }

func openStore(path string) (*sqlite.Store, error) {
	return sqlite.Open(path, sqlite.Options{Now: now})
}

// newStore makes an empty log.
func (b *bench) newStore(name string) (*sqlite.Store, string, error) {
	path := b.path(name)
	if err := sqlite.Create(path); err != nil {
		return nil, "", err
	}
	s, err := openStore(path)
	return s, path, err
}

// history returns the path of a log that was written through the store: every resource
// is ordered, paid by an invoice and runs, and the rest of the events are hourly debits.
func (b *bench) history(ctx context.Context) (string, error) {
	return b.log(ctx, "history", func(s *sqlite.Store) error {
		return histories.Fill(ctx, s, b.resources, b.events, 1)
	})
}

// million returns the path of a log with many resources, each paid once and running.
func (b *bench) million(ctx context.Context) (string, error) {
	return b.log(ctx, "million", func(s *sqlite.Store) error { return order(ctx, s, b.many) })
}

// log returns the path of a log that fill writes, once in a run.
func (b *bench) log(ctx context.Context, name string, fill func(*sqlite.Store) error) (string, error) {
	if path := b.logs[name]; path != "" {
		return path, nil
	}
	b.say("writing the log %q", name)
	start := time.Now()
	s, path, err := b.newStore(name)
	if err != nil {
		return "", err
	}
	defer s.Close()
	if err := fill(s); err != nil {
		return "", err
	}
	head, err := s.Head(ctx)
	if err != nil {
		return "", err
	}
	if err := s.Close(); err != nil {
		return "", err
	}
	took := time.Since(start)
	b.say("wrote %d events in %.1f s, %.0f a second", head, took.Seconds(), float64(head)/took.Seconds())
	b.logs[name] = path
	return path, nil
}
