package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sandglass/adapters/clock"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/keeperstate"
	"sandglass/cmd/sandglass/config"
	rules "sandglass/domain/clock"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
)

// noGap is what the clock goes by where the operator has set no bound to a gap.
const noGap = 3 * time.Hour

// openClock opens the daemon's own time. header tells of lnd's last block.
func openClock(c config.Config, told *counts, header func(context.Context) (instant.Time, error)) (*clock.Clock, error) {
	return clock.Open(clock.Options{
		Dir:  c.StateDir,
		Boot: c.BootID,
		Rules: rules.Rules{
			MaxStep: instant.OfDuration(c.MaxStep),
			MaxGap:  instant.OfDuration(cmp.Or(c.MaxGap, noGap)),
		},
		Header: header,
		Seen:   func(boot string) instant.Millis { return told.lastSeen(c.KeeperDir, boot) },
		Told:   func(e clock.Change) { told.clockChanged(e, c.StateDir) },
	})
}

// lastSeen returns the time since a former boot at which the keeper was last well in it, 0 if nobody knows.
func (c *counts) lastSeen(dir, boot string) instant.Millis {
	signs, err := keeperstate.Load(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.log.Warn().Err(err).Msg("if the machine went down while no daemon ran, that counts from the last daemon's end")
		}
		return 0
	}
	b, _ := signs.Of(boot)
	return instant.Millis(b.At)
}

// runClock tells the clock of the log once that is folded, and runs it.
func (d *components) runClock(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.views.CaughtUp():
	}
	for {
		last, err := d.lastRecorded(ctx)
		if err == nil {
			d.clock.Log(last)
			return d.clock.Run(ctx)
		}
		if !errors.Is(err, stream.ErrUnavailable) && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// lastRecorded returns when the last event of the views was recorded, 0 if there is none.
func (d *components) lastRecorded(ctx context.Context) (instant.Time, error) {
	name, rev, ok := d.views.Last()
	if !ok {
		return 0, nil
	}
	for rec, err := range d.store.Read(ctx, name, rev) {
		return rec.RecordedAt, err
	}
	return 0, cmp.Or(ctx.Err(), fmt.Errorf("the log's last event, %s revision %d, is not in its stream", name, rev))
}

// clockChanged logs what became of the clock, which is kept in a folder.
func (c *counts) clockChanged(e clock.Change, dir string) {
	switch {
	case e.Err != nil:
		c.failed(partClock, "", e.Err).Msg("the clock's file: after a restart the clock may be doubted, or be believed wrongly")
	case e.Doubt.Reason != "":
		c.log.Error().Str("component", partClock).Str("reason", string(e.Doubt.Reason)).
			Stringer("own_time", e.Own).Stringer("wall", e.Own.Add(e.Doubt.Leap)).Msg(doubtAdvice(e.Doubt, dir))
	default:
		c.log.Warn().Str("component", partClock).Stringer("own_time", e.Own).Msg("the clock is trusted again")
	}
}

func doubtAdvice(d rules.Doubt, dir string) string {
	leap, way := d.Leap, "ahead of"
	if leap < 0 {
		leap, way = -leap, "behind"
	}
	return fmt.Sprintf("this machine's clock is %s %s the daemon's own time, by which money is taken; nothing is released: "+
		"see timedatectl; if the clock is right, as root: SANDGLASS_STATE_DIR=%s sandglass clock accept", leap.InUnits(), way, dir)
}

// clockHealth tells whether the clock is doubted.
func (d *components) clockHealth() wire.Component {
	doubt := d.clock.Doubt()
	if doubt.Reason == "" {
		return wire.Component{Name: "clock", Ready: true, State: "trusted"}
	}
	return wire.Component{Name: "clock", State: "doubted", Since: doubt.Since, Advice: doubtAdvice(doubt, d.StateDir)}
}
