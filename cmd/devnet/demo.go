package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sandglass/testutil/devnet"
)

func demoCommand() *cobra.Command {
	var binary string
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show Sandglass at work on a network of its own",
		Long: `Start the network and the daemon on it, order two hours as a newcomer would, pay from bob's
wallet, and show the time drain until Ctrl-C. With --once do the whole tour without a
person and check each step. Everything is gone at the end, however it ends.`,
		Example: "  devnet demo --sandglass bin/sandglass\n  devnet demo --sandglass bin/sandglass --once",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The kernel ends our children with the thread that started them: it has
			// to be one that lasts as long as we do.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			path, err := filepath.Abs(binary)
			if err != nil {
				return err
			}
			d := &demo{binary: path, out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr(), begin: time.Now()}
			if once {
				return d.once(cmd.Context())
			}
			return d.stay(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&binary, "sandglass", "", "the `path` of the sandglass binary")
	cmd.Flags().BoolVar(&once, "once", false, "do the whole tour without a person, check it, and end")
	if err := cmd.MarkFlagRequired("sandglass"); err != nil {
		panic(err) // no such flag: a bug of ours
	}
	return cmd
}

// stepTime bounds a step: on a loaded machine each takes a few seconds at most.
const stepTime = time.Minute

// demo is a network with a daemon, and what was done with them.
type demo struct {
	binary        string
	out, progress io.Writer
	begin         time.Time
	rows          []row

	net    *devnet.Network
	daemon *daemon
	words  []string // the daemon's last ones
	tour   tour
}

// row is a step that was taken.
type row struct {
	name, note string
	took       time.Duration
	err        error
}

// step is something to do and to check. It returns what it saw.
type step struct {
	name string
	do   func(ctx context.Context) (note string, err error)
}

// take does steps until one fails, and tells of each.
func (d *demo) take(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := d.takeOne(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) takeOne(ctx context.Context, s step) error {
	begin := time.Now()
	limit := stepTime
	if d.net == nil {
		limit = 20 * time.Minute // the nodes may have to be built
	}
	once, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done after %s", limit))
	defer cancel()
	note, err := s.do(once)
	switch {
	case ctx.Err() != nil:
		err = errInterrupted
	case err != nil && once.Err() != nil:
		err = fmt.Errorf("%w: %w", context.Cause(once), err)
	}
	r := row{s.name, note, time.Since(begin), err}
	d.rows = append(d.rows, r)
	fmt.Fprintf(d.out, "%s %-52s %7.2f s  %s\n", r.mark(), r.name, r.took.Seconds(), r.note)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

func (r row) mark() string {
	if r.err != nil {
		return "✗"
	}
	return "✓"
}

var errInterrupted = errors.New("interrupted")

// once does the whole tour.
func (d *demo) once(ctx context.Context) error {
	steps := append(d.firstSteps(), d.tourSteps()...)
	err := errors.Join(d.take(ctx, steps), d.end())
	d.summary(len(steps))
	return d.explain(err)
}

// stay starts everything, shows the time drain, and ends with ctx.
func (d *demo) stay(ctx context.Context) error {
	err := d.take(ctx, d.firstSteps())
	if err == nil {
		err = d.newcomer(ctx)
	}
	err = d.explain(errors.Join(err, d.end()))
	if ctx.Err() != nil {
		fmt.Fprintln(d.progress, "devnet: all of it is gone")
		return nil // Ctrl-C is how it ends
	}
	return err
}

// end stops the daemon and then the network.
func (d *demo) end() error {
	var errs []error
	if d.daemon != nil {
		errs = append(errs, d.daemon.stop())
		d.words = d.daemon.words() // before its folder is gone
	}
	if d.net != nil {
		errs = append(errs, d.net.Close())
	}
	return errors.Join(errs...)
}

// explain adds to an error what the daemon said last.
func (d *demo) explain(err error) error {
	if err == nil || errors.Is(err, errInterrupted) || len(d.words) == 0 {
		return err
	}
	return fmt.Errorf("%w\nthe daemon's last words:\n%s", err, strings.Join(d.words, "\n"))
}

// summary prints the table of steps and times.
func (d *demo) summary(steps int) {
	fmt.Fprintln(d.out)
	table := tabwriter.NewWriter(d.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "STEP\tTIME\tOUTCOME")
	good := 0
	for i, r := range d.rows {
		outcome := r.note
		if r.err != nil {
			outcome, _, _ = strings.Cut("failed: "+r.err.Error(), "\n")
		} else {
			good++
		}
		fmt.Fprintf(table, "%s %d. %s\t%.2f s\t%s\n", r.mark(), i+1, r.name, r.took.Seconds(), outcome)
	}
	_ = table.Flush() // to the terminal
	fmt.Fprintf(d.out, "\n%d of %d steps were as they should be, %.1f s\n", good, steps, time.Since(d.begin).Seconds())
}

// firstSteps start the network and the daemon, and put a plan on offer.
func (d *demo) firstSteps() []step {
	return []step{
		{"a private network: btcd, alice and bob", d.startNetwork},
		{"sandglass init and serve", d.startDaemon},
		{"the operator publishes a plan", d.publish},
	}
}

func (d *demo) startNetwork(ctx context.Context) (string, error) {
	if _, err := os.Stat(d.binary); err != nil {
		return "", fmt.Errorf("no sandglass: %w", err)
	}
	net, err := devnet.Start(ctx, devnet.Options{Progress: d.progress})
	if err != nil {
		return "", err
	}
	d.net = net
	return "bob has a channel of 10 BTC to alice", nil
}

func (d *demo) startDaemon(ctx context.Context) (string, error) {
	daemon, err := newDaemon(d.binary, d.net)
	if err != nil {
		return "", err
	}
	d.daemon = daemon
	if _, err := d.daemon.run(ctx, nil, "init"); err != nil {
		return "", err
	}
	if err := d.daemon.start(ctx); err != nil {
		return "", err
	}
	return "ready at " + daemon.url, nil
}

func (d *demo) publish(ctx context.Context) (string, error) {
	_, err := d.daemon.run(ctx, nil, "plan", "publish", "small", "--title", "An application server", "--price", "3600sat",
		"--per", "1h", "--min", "1m", "--max", "720h", "--warn", "10m", "--grace", "24h")
	return "small: 3,600 sat an hour", err
}
