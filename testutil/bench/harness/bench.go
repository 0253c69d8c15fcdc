// Package harness is what the measures of Sandglass have in common: the sizes of a run, the
// logs that are measured, what is compared with a bare disk or a bare SQLite, and the report.
//
// A [Measure] says what it does with [Bench.Say] and reports the figures of its rounds with
// [Bench.Add]: the median counts, and what was measured beside it in the same rounds makes a
// ratio. What is measured is left to the measures.
package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/testutil/histories"
)

// Options are how a run is made.
type Options struct {
	Dir       string // where data is written and removed again
	Sandglass string // the daemon that is started
	Profiles  string // where CPU profiles are written; none if empty
	Quick     bool   // smaller and shorter
}

// Measure is something that can be measured by itself.
type Measure struct {
	Name, About string
	Run         func(context.Context, *Bench) error
}

// Bench is one run: its sizes, the logs that it made, and what it measured.
type Bench struct {
	Sizes
	Sandglass string // the program of the daemon

	profiles string
	data     string // a folder of this run, removed at its end
	progress io.Writer
	measure  string // that is running
	report   *report
	logs     map[string]string // path by name, made once in a run
}

// Sizes are how much is measured.
type Sizes struct {
	Rounds      int
	Slice       time.Duration // of appends by many clients, in each round
	Commits     int           // by a single client, in each round
	Events      int           // of the log that is replayed
	Resources   int           // that it is about
	Many        int           // resources in memory
	Settlements int           // at a modest rate
	Shared      int           // events of the log that is in a cluster
	Deposits    int           // in one block
}

var full = Sizes{
	Rounds:      5,
	Slice:       4 * time.Second,
	Commits:     3000,
	Events:      1_000_000,
	Resources:   100_000,
	Many:        1_000_000,
	Settlements: 1000,
	Shared:      200_000,
	Deposits:    5000,
}

var quick = Sizes{
	Rounds:      3,
	Slice:       500 * time.Millisecond,
	Commits:     300,
	Events:      100_000,
	Resources:   10_000,
	Many:        50_000,
	Settlements: 100,
	Shared:      20_000,
	Deposits:    500,
}

// New begins a run, which the caller closes. What is done is told to progress.
func New(o Options, progress io.Writer) (*Bench, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(o.Dir, "bench-data-*")
	if err == nil {
		data, err = filepath.Abs(data)
	}
	if err != nil {
		return nil, err
	}
	b := &Bench{
		Sandglass: o.Sandglass,
		profiles:  o.Profiles,
		data:      data,
		progress:  progress,
		logs:      map[string]string{},
	}
	b.Sizes = full
	if o.Quick {
		b.Sizes = quick
	}
	b.report = &report{Started: time.Now().UTC(), Quick: o.Quick, Machine: thisMachine(data)}
	b.report.Load.Before = loadAverage()
	return b, nil
}

// Close removes what the run wrote.
func (b *Bench) Close() error { return os.RemoveAll(b.data) }

// Run runs a measure, with a CPU profile if one is asked for.
func (b *Bench) Run(ctx context.Context, m Measure) error {
	b.measure = m.Name
	return b.profiled(m.Name, func() error { return m.Run(ctx, b) })
}

// profiled calls f, with a CPU profile if one is asked for.
func (b *Bench) profiled(name string, f func() error) error {
	if b.profiles == "" {
		return f()
	}
	if err := os.MkdirAll(b.profiles, 0o755); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(b.profiles, name+".pprof"))
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, out.Close())
}

// Say tells what is being done.
func (b *Bench) Say(format string, args ...any) {
	at := time.Since(b.report.Started).Round(100 * time.Millisecond)
	fmt.Fprintf(b.progress, "%7s %s: %s\n", at, b.measure, fmt.Sprintf(format, args...))
}

// Path returns a name in the folder of this run.
func (b *Bench) Path(name string) string { return filepath.Join(b.data, name) }

// Now returns the time of this machine.
func Now() instant.Time { return instant.Of(time.Now()) }

// OpenStore opens a log for reading and writing.
func OpenStore(path string) (*sqlite.Store, error) {
	return sqlite.Open(path, sqlite.Options{Now: Now})
}

// NewStore makes an empty log.
func (b *Bench) NewStore(name string) (*sqlite.Store, string, error) {
	path := b.Path(name)
	if err := sqlite.Create(path); err != nil {
		return nil, "", err
	}
	s, err := OpenStore(path)
	return s, path, err
}

// History returns the path of a log that was written through the store: every resource
// is ordered, paid by an invoice and runs, and the rest of the events are hourly debits.
func (b *Bench) History(ctx context.Context) (string, error) {
	return b.Log(ctx, "history", func(s *sqlite.Store) error {
		return histories.Fill(ctx, s, b.Resources, b.Events, 1)
	})
}

// Million returns the path of a log with many resources, each paid once and running.
func (b *Bench) Million(ctx context.Context) (string, error) {
	return b.Log(ctx, "million", func(s *sqlite.Store) error { return order(ctx, s, b.Many) })
}

// Log returns the path of a log that fill writes, once in a run.
func (b *Bench) Log(ctx context.Context, name string, fill func(*sqlite.Store) error) (string, error) {
	if path := b.logs[name]; path != "" {
		return path, nil
	}
	b.Say("writing the log %q", name)
	start := time.Now()
	s, path, err := b.NewStore(name)
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
	b.Say("wrote %d events in %.1f s, %.0f a second", head, took.Seconds(), float64(head)/took.Seconds())
	b.logs[name] = path
	return path, nil
}
