// Package keeper has the commands of the keeper, which starts and stops what is rented out on this
// machine. It needs neither the daemon nor the network nor the log.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sandglass/adapters/clock"
	"sandglass/adapters/runfiles"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/lasting"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

// Cmd returns keeper, with its subcommands.
func Cmd(e *cli.Env) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "keeper",
		Short: "Start and stop what is rented out on this machine",
		Long: `Start and stop what is rented out on this machine, until SIGTERM or SIGINT.

The daemon decides and may start nothing; the keeper starts and stops, and decides nothing. For
each resource the daemon leaves a want in SANDGLASS_RUN_DIR/want: up until when, down, or gone,
and by which enforcer. The keeper makes it so, by a unit of systemd that SANDGLASS_SYSTEMD_UNITS
allows or an executable in SANDGLASS_ENFORCERS, and leaves what it found in
SANDGLASS_RUN_DIR/is. Both are text: cat shows them, "sandglass keeper status" compares them.

It stops what has run out by itself, so a daemon that is dead lets nobody run for nothing.
Stopping the keeper stops nothing else. A want that is damaged, has vanished, is of another boot
or was written by somebody else starts nothing and stops nothing, and is told.

It is a service of its own, beside the daemon's, and runs as another user. It is configured by
the environment; --print-config lists every variable with its value.`,
		Example: `  sandglass keeper --print-config
  SANDGLASS_SYSTEMD_UNITS='app@.service' sandglass keeper
  sandglass keeper status`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.LoadKeeper()
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
	cmd.AddCommand(statusCmd(e), removeCmd(e))
	return cmd
}

// run keeps until ctx ends.
func run(ctx context.Context, c config.Keeper, log zerolog.Logger) (err error) {
	spareMemory()
	boot, err := bootID(c)
	if err != nil {
		return err
	}
	run, err := runfiles.Open(c.RunDir)
	if err != nil {
		return err
	}
	release, err := run.Keep()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	with, err := openEnforcers(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, with.units.Close()) }()
	said := func(n enforce.Notice) { tell(log, n) }
	lasts := &signs{dir: c.StateDir, boot: boot, run: run, log: log, outages: lasting.NewOutages(boot)}
	systemd := &notifier{tell: said, save: func(s enforce.Summary) error {
		return run.SaveBeat(&enforce.Beat{
			Boot: boot, At: sinceBoot(), Looked: s.Looked, Wants: s.Wants, Differ: s.Differ, Busy: s.UnderWay,
			Oldest: s.Oldest, Done: s.Done, Failed: s.Failed, Refused: s.Refused,
		})
	}}
	ctx, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	asked.Go(func() { answerDaemon(ctx, run, with, boot, log) })
	asked.Go(func() { lasts.keep(ctx) })
	log.Info().Str("folder", c.RunDir).Strs("units", c.Units()).Str("enforcers", c.Enforcers).Msg("started")
	defer func() { log.Info().Err(err).Msg("stopped") }()
	err = enforce.NewKeeper(enforce.Options{
		Folder:   lasting.Folder{Folder: run, Outages: lasts.outages},
		Enforcer: with.of, Changers: changers(c, with), Boot: boot, Now: sinceBoot,
		Told: said,
		Beat: func(s enforce.Summary) {
			lasts.beat(s)
			systemd.beat(s)
		},
	}).Run(ctx)
	return errors.Join(err, systemd.stopping())
}

// changers returns the enforcers that hear of changes by themselves. Where no unit may be rented out
// nobody listens to systemd, which may not be there.
func changers(c config.Keeper, with *enforcers) []enforce.Changer {
	if len(c.Units()) == 0 {
		return nil
	}
	return []enforce.Changer{with.units}
}

// bootID returns the id of this boot, without which nothing can be told from what was wanted before
// it.
func bootID(c config.Keeper) (string, error) {
	if c.BootID != "" {
		return c.BootID, nil
	}
	if id := clock.BootID(); id != "" {
		return id, nil
	}
	return "", fmt.Errorf("the kernel's boot_id can't be read here: set %s_BOOT_ID, in a unit to %%b", config.Prefix)
}

// sinceBoot returns the time since boot, and never 0. The clock can't fail once it did not.
func sinceBoot() enforce.Boottime {
	up, err := clock.SinceBoot()
	if err != nil {
		panic(err)
	}
	return max(1, enforce.Boottime(up))
}

// tell writes a line of the log for each change.
func tell(log zerolog.Logger, n enforce.Notice) {
	if n.Err != nil {
		log.Error().Err(n.Err).Msg("the folder or an enforcer fails")
		return
	}
	event, text := log.Info(), "as wanted"
	if !n.As {
		event, text = log.Warn(), "not as wanted"
	}
	if n.Want == "" {
		text = "its want is not followed"
	}
	event.Str("resource", n.Is.ID).Str("state", string(n.Is.State)).Str("was", string(n.Was)).Str("wanted", string(n.Want)).
		Str("why", n.Is.Why).Int("tries", n.Is.Tries).Int64("generation", n.Is.Generation).Msg(text)
}
