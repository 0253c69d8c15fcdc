// Package serve is the daemon: it builds the components by the configuration, each once
// and from those before it, and runs them until one can't go on. What it adds of its own
// is what shows of them: metrics, the components' health, and what systemd is told.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"

	"sandglass/adapters/lnd"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/instant"
	"sandglass/projections"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// Cmd returns serve.
func Cmd() *cobra.Command {
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
			c, err := config.Load()
			if show {
				return errors.Join(config.Print(cmd.OutOrStdout(), c), err)
			}
			if err != nil {
				return err
			}
			return run(cmd.Context(), c, config.Logger(c.LogLevel, c.LogFormat, cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().BoolVar(&show, "print-config", false, "show every variable, its value, its default and its meaning, and exit")
	return cmd
}

// run runs the daemon until ctx ends or something can't go on.
func run(ctx context.Context, c config.Config, log zerolog.Logger) (err error) {
	if err := c.CheckDaemon(); err != nil {
		return err
	}
	place := c.Log()
	place.Log = func(text string) { log.Warn().Str("component", "store").Msg(text) }
	counts := newCounts(log)
	var node *lnd.Client
	own, err := openClock(c, counts, func(ctx context.Context) (instant.Time, error) { return node.HeaderTime(ctx) })
	if err != nil {
		return err
	}
	place.Now = own.Now
	store, err := place.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	requests, err := place.OpenRequests(ctx, store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, requests.Close()) }()
	node, err = lnd.Dial(lnd.Config{
		Addr:          c.LndAddr,
		TLSCert:       c.LndTLSCert,
		WatchMacaroon: c.LndWatchMacaroon,
		IssueMacaroon: c.LndIssueMacaroon,
		AllowSpending: c.LndAllowSpending,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	d, err := build(ctx, c, log, counts, own, store, requests, node)
	if err != nil {
		return err
	}
	listener, err := listen("LISTEN", c.Listen)
	if err != nil {
		return err
	}
	metrics, err := listen("METRICS_LISTEN", c.MetricsListen)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log.Info().Str("listen", listener.Addr().String()).Stringer("store", place).Msg("started")
	defer func() { log.Info().Err(err).Msg("stopped") }()

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.store.fence.Stop(projections.Run(ctx, d.store, d.views)) })
	g.Go(func() error { return d.store.fence.Run(ctx) })
	g.Go(func() error { return d.runClock(ctx) })
	g.Go(func() error { return d.store.fence.Stop(d.requests.Run(ctx)) })
	g.Go(func() error { return d.store.fence.Stop(d.proving.Run(ctx)) })
	g.Go(func() error { return d.watch(ctx) })
	g.Go(func() error { return d.holding.Run(ctx) })
	g.Go(func() error { return d.meter.Run(ctx) })
	g.Go(func() error { return d.enforcing.Run(ctx) })
	g.Go(func() error { return d.params.Run(ctx) })
	g.Go(func() error { return d.followWallets(ctx) })
	g.Go(func() error { return d.api.Run(ctx, listener) })
	g.Go(func() error { return d.programs.Run(ctx) })
	g.Go(func() error { return d.serveMetrics(ctx, metrics) })
	g.Go(func() error { return d.saveSnapshots(ctx) })
	g.Go(func() error { return d.notify(ctx) })
	g.Go(func() error { return d.watchHosts(ctx) })
	return g.Wait()
}

// watch runs the watchers once the log is folded, which tells them what to wait for and which
// time it is.
func (d *components) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.clock.Begun():
	}
	select {
	case <-ctx.Done():
		return nil
	case <-d.requests.CaughtUp():
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.watcher.Run(ctx) })
	g.Go(func() error { return d.chain.Run(ctx) })
	return g.Wait()
}

// listen returns a listener at the address of a variable, or nil if it is empty.
func listen(name, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s_%s: %w", config.Prefix, name, err)
	}
	return l, nil
}

// serveMetrics serves the metrics by themselves, if they have a listener.
func (d *components) serveMetrics(ctx context.Context, l net.Listener) error {
	if l == nil {
		return nil
	}
	return d.api.RunMetrics(ctx, l)
}
