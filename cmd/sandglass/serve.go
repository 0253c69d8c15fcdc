package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"time"

	"sandglass/adapters/lnd"
	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/meter"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/projections"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

func serveCmd() *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon: watch the wallet, meter the resources, answer HTTP",
		Long: `Run the daemon until SIGTERM or SIGINT.

It is configured by the environment; --print-config lists every variable with its
value. The event log must exist: "sandglass init" makes it, once.`,
		Example: `  sandglass serve --print-config
  SANDGLASS_LND_ADDR=127.0.0.1:10009 SANDGLASS_LOG_FORMAT=console sandglass serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig()
			if show {
				return errors.Join(printConfig(cmd.OutOrStdout(), c), err)
			}
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c, newLogger(c, cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().BoolVar(&show, "print-config", false, "show every variable, its value, its default and its meaning, and exit")
	return cmd
}

func initCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the event log, once",
		Long: `Make an empty event log where SANDGLASS_STORE and SANDGLASS_STATE_DIR say.

It refuses a log that is there. The daemon never makes a log by itself: an empty
one in the place of a lost one would stop every customer.`,
		Example: `  sandglass init
  SANDGLASS_STATE_DIR=/var/lib/sandglass sandglass init`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig()
			if err != nil {
				return err
			}
			p := c.storePlace()
			if err := p.create(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "made the event log %s\n", p)
			return err
		},
	}
}

func newLogger(c Config, w io.Writer) zerolog.Logger {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	level, _ := zerolog.ParseLevel(c.LogLevel) // checked with the configuration
	if c.LogFormat == "console" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05.000"}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

func now() instant.Time { return instant.Of(time.Now()) }

// server is what serve wires together.
type server struct {
	Config
	log     zerolog.Logger
	store   logStore
	views   *projections.Views
	lnd     *lnd.Client
	watcher *lightning.Watcher
	chain   *chain.Watcher // nil if it is off
	meter   *meter.Meter
	billing *billing.Service
	metrics *metrics
}

// serve runs the daemon until ctx ends or something can't go on.
func serve(ctx context.Context, c Config, log zerolog.Logger) (err error) {
	d := &server{Config: c, log: log}
	place := c.storePlace()
	if place.scheme() != sqliteScheme && c.Host == "" {
		return want(false, "HOST", c.Host, "the name of this host: the log in a cluster can be shared, and one host alone meters a resource")
	}
	place.log = func(text string) { log.Warn().Str("component", "store").Msg(text) }
	if d.store, err = place.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.store.Close()) }()
	if d.lnd, err = lnd.Dial(lnd.Config{
		Addr: c.LndAddr, TLSCert: c.LndTLSCert, WatchMacaroon: c.LndWatchMacaroon,
		IssueMacaroon: c.LndIssueMacaroon, AllowSpending: c.LndAllowSpending,
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.lnd.Close()) }()
	if err := d.build(); err != nil {
		return err
	}
	api, err := d.api()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("%s_LISTEN: %w", prefix, err)
	}
	log.Info().Str("listen", listener.Addr().String()).Stringer("store", place).Msg("started")
	defer func() { log.Info().Err(err).Msg("stopped") }()

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return projections.Run(ctx, d.store, d.views) })
	g.Go(func() error { return d.watch(ctx) })
	g.Go(func() error { return d.meter.Run(ctx) })
	g.Go(func() error { return api.Run(ctx, listener) })
	g.Go(func() error { return d.saveSnapshots(ctx) })
	g.Go(func() error { return d.notify(ctx) })
	g.Go(func() error { return d.watchHosts(ctx) })
	return g.Wait()
}

// build makes the components, each from those before it. They start in serve.
func (d *server) build() (err error) {
	d.views = projections.NewFor(d.Host, instant.OfDuration(d.SettleEvery))
	if err := d.views.Load(d.snapshotPath(), d.store.ID()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Info().Err(err).Msg("no snapshot: folding the whole log")
	}
	d.metrics = newMetrics(d)
	booker := &payment.Booker{
		Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: d.store},
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: d.store, Warm: d.views.Resource},
		Now:       now,
		Gap:       resource.When{MaxGap: instant.OfDuration(d.MaxGap), Forgive: d.GapPolicy == "forgive"},
	}
	if d.watcher, err = d.newWatcher(booker); err != nil {
		return err
	}
	d.billing = d.newBilling(booker)
	if d.OnChain {
		if d.chain, err = d.newChainWatcher(booker); err != nil {
			return err
		}
	}
	d.meter = d.newMeter(booker)
	return nil
}

func (d *server) newWatcher(booker *payment.Booker) (*lightning.Watcher, error) {
	return lightning.New(lightning.Config{
		Wallet:     d.lnd,
		Wallets:    &wallet.Handler{Aggregate: wallet.Aggregate(), Store: d.store},
		Booker:     booker,
		Waiting:    d.waiting,
		Observer:   d.metrics,
		Now:        now,
		SweepEvery: d.SweepEvery,
		Retry:      retry,
	})
}

func (d *server) newBilling(booker *payment.Booker) *billing.Service {
	b := &billing.Service{
		Plans:         &plan.Handler{Aggregate: plan.Aggregate(), Store: d.store},
		Payments:      booker.Payments,
		Resources:     booker.Resources,
		Booker:        booker,
		Wallet:        d.lnd,
		Addresses:     &address.Handler{Aggregate: address.Aggregate(), Store: d.store},
		AddressFailed: d.metrics.addressFailed,
		Views:         d.views,
		Host:          d.Host,
		Now:           now,
		Random:        rand.Reader,
		Gap:           booker.Gap,
		Swept:         d.watcher.Swept(),
		Writable:      d.store.Writable,
		Confirmations: d.Confirmations,
		Limits: billing.Limits{
			OpenPerResource: d.MaxOpenPer,
			Open:            d.MaxOpenInvoices,
			Awaiting:        d.MaxAwaiting,
			Expiry:          instant.OfDuration(d.InvoiceExpiry),
		},
	}
	if d.OnChain {
		b.Chain = d.lnd
	}
	return b
}

// newMeter returns the meter, which begins once the log is folded and the wallet was read.
func (d *server) newMeter(booker *payment.Booker) *meter.Meter {
	m := &meter.Meter{
		Resources: booker.Resources,
		Deadlines: d.views,
		Now:       now,
		Gap:       booker.Gap,
		Ready:     []<-chan struct{}{d.views.CaughtUp(), d.watcher.Swept()},
		Failed:    d.metrics.settleFailed,
		Settled:   d.metrics.settled,
	}
	if d.chain != nil {
		m.Ready = append(m.Ready, d.chain.Swept())
		m.Pending = d.chain.Pending
	}
	return m
}

// What is mended at the wallet should not wait long for us.
var retry = watch.Retry{Max: 5 * time.Second, Denied: 10 * time.Second}

// watch runs the watchers once the log is folded, which tells them what to wait for.
func (d *server) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.views.CaughtUp():
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.watcher.Run(ctx) })
	if d.chain != nil {
		g.Go(func() error { return d.chain.Run(ctx) })
	}
	return g.Wait()
}

// waiting returns the Lightning payments that are not at their end.
func (d *server) waiting(context.Context) (list []lightning.Waiting, err error) {
	for _, p := range d.views.OpenPayments() {
		if !p.OnChain() {
			list = append(list, lightning.Waiting{Key: p.Key, Status: p.Status, Expiry: p.Expiry})
		}
	}
	return list, nil
}

func (d *server) snapshotPath() string { return filepath.Join(d.StateDir, "snapshot.bin") }

// saveSnapshots saves now and then, and at the end, so that the next start is short.
func (d *server) saveSnapshots(ctx context.Context) error {
	const every = 10 * time.Minute
	t := time.NewTicker(every)
	defer t.Stop()
	saved := d.views.Position()
	for {
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		if at := d.views.Position(); at != saved {
			if err := d.views.Save(d.snapshotPath(), d.store.ID()); err != nil {
				d.log.Warn().Err(err).Msg("no snapshot was saved: the next start folds the log from an older one")
			}
			saved = at
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}
