package keeper

import (
	"fmt"
	"time"

	"sandglass/domain/enforce"

	"github.com/coreos/go-systemd/v22/daemon"
)

// beatEvery is how often systemd is told that the keeper is well, at most: it has to beat within
// WatchdogSec=, which is 30 s in its unit, and the daemon takes a
// beat of 30 s ago for one of a keeper that is dead.
const beatEvery = 5 * time.Second

// notifier tells systemd how the keeper is, and the daemon by a file. Without systemd it does that
// alone.
type notifier struct {
	save  func(enforce.Summary) error
	tell  func(enforce.Notice)
	ready bool
	last  time.Time

	failed error // of the last save
}

// beat is called about once a second by a keeper that is well. Of systemd that can't be told,
// nothing is made: it will start the keeper again, which cuts nobody off.
func (n *notifier) beat(s enforce.Summary) {
	if s.Ready == n.ready && time.Since(n.last) < beatEvery {
		return
	}
	state := fmt.Sprintf("WATCHDOG=1\nSTATUS=%d resources, %d not as wanted, %d under way", s.Wants, s.Differ, s.UnderWay)
	if s.Ready && !n.ready {
		state = daemon.SdNotifyReady + "\n" + state
	}
	n.ready, n.last = s.Ready, time.Now()
	if err := n.save(s); (err == nil) != (n.failed == nil) {
		if n.failed = err; err != nil {
			n.tell(enforce.Notice{Err: err})
		}
	}
	_, _ = daemon.SdNotify(false, state)
}

func (n *notifier) stopping() error {
	_, err := daemon.SdNotify(false, daemon.SdNotifyStopping)
	return err
}
