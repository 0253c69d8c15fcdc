package serve

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells systemd how the daemon is: that it is alive while the views can be read,
// and ready once the log is folded. A wallet that is away doesn't keep it from being
// ready: the API says so. Without systemd it does nothing.
func (d *components) notify(ctx context.Context) error {
	every := 5 * time.Second
	if watchdog, err := daemon.SdWatchdogEnabled(false); err == nil && watchdog > 0 {
		every = min(every, watchdog/3)
	}
	t := time.NewTicker(every)
	defer t.Stop()
	folded := d.views.CaughtUp()
	for {
		select {
		case <-ctx.Done():
			_, err := daemon.SdNotify(false, daemon.SdNotifyStopping)
			return err
		case <-folded:
			folded = nil
			if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
				return err
			}
		case <-t.C:
		}
		state := fmt.Sprintf("WATCHDOG=1\nSTATUS=position %d, wallet %s", d.views.Position(), d.watcher.Health().Condition)
		if folded != nil {
			state += "\nEXTEND_TIMEOUT_USEC=60000000" // folding a long log goes on
		}
		if _, err := daemon.SdNotify(false, state); err != nil {
			return err
		}
	}
}
