// Command bench measures what Sandglass promises about its speed and its size.
//
// A figure is the median of a few rounds. What is compared is measured side by side, in
// turns within one round, and given as a ratio: that holds on a noisy machine, where a
// figure alone does not. Nothing is asserted; what falls short is reported as measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"sandglass/testutil/bench/enforcing"
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/bench/unpaid"
)

const usage = `usage: scripts/bench [flags]

Measures Sandglass on this machine and prints a table: each figure with its range over
the rounds, its ratio to what was measured beside it, its target, and whether it is met
("ok" or "short"). Progress goes to stderr, everything measured also to a JSON file.

The measures:
%s
Flags:
  --only LIST        measure only these, as in --only append,replay
  --quick            smaller and shorter: to see that it works, not to quote from
  --json FILE        where to write the figures (default DIR/bench.json)
  --dir DIR          where data is written and removed again: its disk is what is
                     measured, so not a tmpfs (default bin); 4 GB for all measures
  --sandglass FILE   the daemon that is started (default bin/sandglass)
  --cpuprofile DIR   write a CPU profile of this process for each measure, for "go tool pprof"

Examples:
  scripts/bench
  scripts/bench --only append,settle --json /tmp/before.json
  scripts/bench --only replay --cpuprofile /tmp/profiles
  go tool pprof -top bin/bench /tmp/profiles/replay.pprof
`

func measures() []harness.Measure {
	return []harness.Measure{
		{Name: "append", About: "durable appends by 1, 16 and 256 clients, beside a bare SQLite commit", Run: appends},
		{Name: "replay", About: "folding a log of 1 million events, beside a bare scan of the file", Run: replay},
		{Name: "exports", About: "the log and the books of 1 million events written to a file, beside a bare scan", Run: exports},
		{Name: "verify", About: "a log of 1 million events hashed and held against a checkpoint, beside a bare scan", Run: verifies},
		{Name: "remaining", About: "the remaining time of one resource out of a million", Run: remaining},
		{Name: "memory", About: "memory per resource, of a million", Run: memory},
		{Name: "startup", About: "start-up of the daemon with a million resources and a snapshot", Run: startup},
		{Name: "cluster", About: "appends, replay and copy of a log in a cluster, beside the bare client", Run: cluster},
		{Name: "commands", About: "commands through the handler, beside a bare client's appends", Run: commands},
		{Name: "settle", About: "from lnd's SETTLED to the credit visible over HTTP and SSE", Run: settle},
		{Name: "requests", About: "a million orders that nobody pays, and what is left when they lapse", Run: unpaid.Measure},
		{Name: "enforcing", About: "from a payment in the log to its start by the keeper, beside a bare one", Run: enforcing.Measure},
		{Name: "gate", About: "requests through nginx with a gate before what it serves, beside those without", Run: gate},
		{Name: "deposits", About: "from the block of many deposits to their durable credits, beside bare appends", Run: deposits},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// config is what the flags say.
type config struct {
	harness.Options
	only, json string
}

func parse(args []string, help io.Writer) (c config, chosen []harness.Measure, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.only, "only", "", "")
	f.StringVar(&c.json, "json", "", "")
	f.StringVar(&c.Dir, "dir", "bin", "")
	f.StringVar(&c.Sandglass, "sandglass", "bin/sandglass", "")
	f.StringVar(&c.Profiles, "cpuprofile", "", "")
	f.BoolVar(&c.Quick, "quick", false, "")
	all := measures()
	err = f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		var list strings.Builder
		for _, m := range all {
			fmt.Fprintf(&list, "  %-10s %s\n", m.Name, m.About)
		}
		fmt.Fprintf(help, usage, list.String())
		return c, nil, err
	}
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected %q", f.Arg(0))
	}
	if err == nil {
		chosen, err = choose(all, c.only)
	}
	if err != nil {
		return c, nil, fmt.Errorf("%w: see --help", err)
	}
	if c.json == "" {
		c.json = filepath.Join(c.Dir, "bench.json")
	}
	return c, chosen, nil
}

func choose(all []harness.Measure, only string) ([]harness.Measure, error) {
	if only == "" {
		return all, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		wanted[name] = true
	}
	var chosen []harness.Measure
	for _, m := range all {
		if wanted[m.Name] {
			chosen = append(chosen, m)
		}
		delete(wanted, m.Name)
	}
	for name := range wanted {
		return nil, fmt.Errorf("no measure %q", name)
	}
	return chosen, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	c, chosen, err := parse(args, stdout)
	if err != nil {
		return err
	}
	b, err := harness.New(c.Options, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	b.PrintMachine(stdout)
	for _, m := range chosen {
		if err := b.Run(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return b.Finish(stdout, c.json)
}
