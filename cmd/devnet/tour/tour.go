// Package tour shows Sandglass at work. On a network that it is given it starts the daemon,
// does what an operator and customers do, through the command line, and checks each step.
package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/devnet/tour/host"
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// stepTime bounds a step: on a loaded machine each takes a few seconds at most.
const stepTime = time.Minute

// Tour is a network with a daemon, and what was done with them. It is taken once.
type Tour struct {
	Sandglass string // the path of the binary
	Out       io.Writer
	Progress  io.Writer  // for what is said beside the steps
	Title     string     // of the first step, which is Start
	Store     host.Store // where the daemon's log is to be; a file of its own if that says nothing
	Listen    string     // where the daemon listens; its default if that is empty
	Start     func(context.Context) (net Network, note string, err error)
	Control   func() (string, error) // for Stay: the command that acts on the network from another terminal
	Program   string                 // the path of a program of which "app" serves what is rented out, see [host.NewKeeper]

	begin  time.Time
	rows   []row
	net    Network
	daemon *host.Daemon
	keeper *host.Keeper
	words  string // the last ones of the daemon and of the keeper

	// What the steps know of each other.
	long   wire.Order // two hours of small
	short  wire.Order // three seconds of short
	late   wire.Payment
	paid   money.Msat   // for long, in all
	until  instant.Time // long's paid_until
	txid   string       // that pays long on the chain
	missed wire.Payment // for long, paid while the daemon is dead
	vkey   string       // of the log's key

	server  *server // that is rented out first
	servers []*server
	more    wire.Payment // for server
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
func (t *Tour) take(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := t.takeOne(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tour) takeOne(ctx context.Context, s step) error {
	begin := time.Now()
	limit := stepTime
	if t.net == nil {
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
	t.rows = append(t.rows, r)
	fmt.Fprintf(t.Out, "%s %-52s %7.2f s  %s\n", r.mark(), r.name, r.took.Seconds(), r.note)
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

// Once does the whole tour without a person, and returns an error unless each step was as it
// should be.
func (t *Tour) Once(ctx context.Context) error {
	t.begin = time.Now()
	steps := append(t.firstSteps(), t.tourSteps()...)
	err := errors.Join(t.take(ctx, steps), t.end())
	t.summary(len(steps))
	return t.explain(err)
}

// Stay starts everything, shows the time drain, and ends with ctx.
func (t *Tour) Stay(ctx context.Context) error {
	err := t.take(ctx, t.firstSteps())
	if err == nil {
		err = t.newcomer(ctx)
	}
	err = t.explain(errors.Join(err, t.end()))
	if ctx.Err() != nil {
		fmt.Fprintln(t.Progress, "devnet: all of it is gone")
		return nil // Ctrl-C is how it ends
	}
	return err
}

// end stops the daemon and then the network.
func (t *Tour) end() error {
	var errs []error
	for _, s := range t.servers {
		s.end()
	}
	if t.keeper != nil {
		t.words += t.keeper.Words() // before its folder is gone
		errs = append(errs, t.keeper.End())
	}
	if t.daemon != nil {
		errs = append(errs, t.daemon.Close())
		t.words += t.daemon.Words()
	}
	if t.net != nil {
		errs = append(errs, t.net.Close())
	}
	return errors.Join(errs...)
}

// explain adds to an error what the daemon and the keeper said last.
func (t *Tour) explain(err error) error {
	if err == nil || errors.Is(err, errInterrupted) || len(t.words) == 0 {
		return err
	}
	return fmt.Errorf("%w%s", err, t.words)
}

// summary prints the table of steps and times.
func (t *Tour) summary(steps int) {
	fmt.Fprintln(t.Out)
	table := tabwriter.NewWriter(t.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "STEP\tTIME\tOUTCOME")
	good := 0
	for i, r := range t.rows {
		outcome := r.note
		if r.err != nil {
			outcome, _, _ = strings.Cut("failed: "+r.err.Error(), "\n")
		} else {
			good++
		}
		fmt.Fprintf(table, "%s %d. %s\t%.2f s\t%s\n", r.mark(), i+1, r.name, r.took.Seconds(), outcome)
	}
	_ = table.Flush() // to the terminal
	fmt.Fprintf(t.Out, "\n%d of %d steps were as they should be, %.1f s\n", good, steps, time.Since(t.begin).Seconds())
}

// firstSteps start the network and the daemon, and put a plan on offer.
func (t *Tour) firstSteps() []step {
	return []step{
		{t.Title, t.startNetwork},
		{"sandglass init and serve", t.startDaemon},
		{"sandglass keeper, beside it", t.startKeeper},
		{"the operator publishes two plans", t.publish},
	}
}

func (t *Tour) startNetwork(ctx context.Context) (string, error) {
	if _, err := os.Stat(t.Sandglass); err != nil {
		return "", fmt.Errorf("no sandglass: %w", err)
	}
	net, note, err := t.Start(ctx)
	if err != nil {
		return "", err
	}
	t.net = net
	return note, nil
}

func (t *Tour) startDaemon(ctx context.Context) (string, error) {
	daemon, err := host.NewDaemon(t.Sandglass, filepath.Join(t.net.Dir(), "sandglass"), t.Listen, t.net.Env(), t.Store)
	if err != nil {
		return "", err
	}
	t.daemon = daemon
	if t.keeper, err = host.NewKeeper(daemon, t.Program); err != nil {
		return "", err
	}
	if _, err := t.daemon.Run(ctx, nil, "init"); err != nil {
		return "", err
	}
	if t.Store.URL != "" { // the log is signed by the one host of its cluster that is told to
		if _, err := t.daemon.Run(ctx, nil, "log", "key", "--make"); err != nil {
			return "", err
		}
	}
	if err := t.daemon.Start(ctx); err != nil {
		return "", err
	}
	return "ready at " + daemon.URL + daemon.Beside(), nil
}

func (t *Tour) startKeeper(context.Context) (string, error) {
	return "starts and stops programs", t.keeper.Start(t.daemon)
}

func (t *Tour) publish(ctx context.Context) (string, error) {
	if _, err := t.daemon.Run(ctx, nil, "plan", "publish", "small", "--title", "An application server", "--price", "3600sat",
		"--per", "1h", "--min", "1m", "--max", "720h", "--warn", "10m", "--grace", "24h"); err != nil {
		return "", err
	}
	_, err := t.daemon.Run(ctx, nil, "plan", "publish", "server", "--title", "A server that really runs", "--price", "1sat",
		"--per", "1s", "--min", "1s", "--max", "1h", "--grace", "1h", "--enforcer", "process")
	return "small: 3,600 sat an hour; server: 1 sat a second", err
}
