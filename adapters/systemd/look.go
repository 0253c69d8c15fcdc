package systemd

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"sandglass/domain/enforce"
)

// look is what systemd says of a unit at one instant. Its times are microseconds of
// CLOCK_MONOTONIC, 0 if that never was.
type look struct {
	LoadState     string
	UnitFileState string
	ActiveState   string
	SubState      string
	InvocationID  []byte
	Job           struct {
		ID   uint32
		Path dbus.ObjectPath
	}
	InactiveExitTimestampMonotonic  uint64
	ActiveEnterTimestampMonotonic   uint64
	ActiveExitTimestampMonotonic    uint64
	InactiveEnterTimestampMonotonic uint64

	result string // of its service, if it failed: exit-code, signal, …
	code   int32  // with which its main process ended
}

// look asks for a unit, which systemd loads if it has to.
func (b *bus) look(ctx context.Context, name string) (l look, err error) {
	object := b.conn.Object(destination, pathOf(name))
	var all map[string]dbus.Variant
	if err := object.CallWithContext(ctx, properties+".GetAll", 0, unitIface).Store(&all); err != nil {
		return l, err
	}
	for property, to := range map[string]any{
		"LoadState": &l.LoadState, "UnitFileState": &l.UnitFileState, "ActiveState": &l.ActiveState, "SubState": &l.SubState,
		"InvocationID": &l.InvocationID, "Job": &l.Job,
		"InactiveExitTimestampMonotonic":  &l.InactiveExitTimestampMonotonic,
		"ActiveEnterTimestampMonotonic":   &l.ActiveEnterTimestampMonotonic,
		"ActiveExitTimestampMonotonic":    &l.ActiveExitTimestampMonotonic,
		"InactiveEnterTimestampMonotonic": &l.InactiveEnterTimestampMonotonic,
	} {
		if err := all[property].Store(to); err != nil {
			return l, fmt.Errorf("its property %s: %w", property, err)
		}
	}
	if l.ActiveState == "inactive" && l.InactiveEnterTimestampMonotonic == 0 {
		l.InactiveEnterTimestampMonotonic = b.endOf(name)
	}
	if l.ActiveState == "failed" || l.SubState == "auto-restart" {
		l.result, l.code, err = ending(ctx, object)
	}
	return l, err
}

// ending is how the service of a unit ended.
func ending(ctx context.Context, object dbus.BusObject) (result string, code int32, err error) {
	get := func(property string, to any) error {
		return object.CallWithContext(ctx, properties+".Get", 0, destination+".Service", property).Store(to)
	}
	if err := get("Result", &result); err != nil {
		return "", 0, err
	}
	return result, code, get("ExecMainStatus", &code)
}

// settled reports whether nothing is under way that would change it.
func (l *look) settled() bool { return l.Job.ID == 0 }

// state is what the unit is, in our words. A reload leaves what runs as it is.
func (l *look) state() enforce.State {
	switch l.ActiveState {
	case "active", "reloading", "refreshing":
		return enforce.Up
	case "inactive", "failed":
		return enforce.Down
	case "activating":
		return enforce.Starting
	case "deactivating":
		return enforce.Stopping
	}
	return enforce.Unknown // such as maintenance, in which its files are cleaned
}

// status is what the unit is, and since when. It rounds down to the millisecond.
func (l *look) status() (enforce.Status, error) {
	s := enforce.Status{State: l.state(), Invocation: hex.EncodeToString(l.InvocationID), Why: l.why()}
	var since uint64
	switch s.State {
	case enforce.Up:
		since = l.ActiveEnterTimestampMonotonic
	case enforce.Starting:
		since = l.InactiveExitTimestampMonotonic
	case enforce.Stopping:
		since = l.ActiveExitTimestampMonotonic
	default:
		since = l.InactiveEnterTimestampMonotonic
	}
	var err error
	s.Since, err = boottime(since)
	return s, err
}

// why says how it failed, if it did.
func (l *look) why() string {
	if l.result == "" || l.result == "success" {
		return ""
	}
	if l.code == 0 {
		return l.result
	}
	return fmt.Sprintf("%s, status %d", l.result, l.code)
}

// startable returns nil if the unit may be started.
func (l *look) startable() error {
	switch l.LoadState {
	case "loaded":
	case "not-found":
		return fmt.Errorf("%w: there is no such template: put it into /etc/systemd/system, and systemctl daemon-reload",
			enforce.ErrRefused)
	case "masked":
		return fmt.Errorf("%w: it is masked: systemctl unmask it", enforce.ErrRefused)
	default:
		return fmt.Errorf("%w: systemd can't load it (%s): see systemctl status, and systemd-analyze verify",
			enforce.ErrRefused, l.LoadState)
	}
	if strings.HasPrefix(l.UnitFileState, "enabled") {
		return fmt.Errorf("%w: it is enabled, so that it would run at each boot, paid or not: systemctl disable it", enforce.ErrRefused)
	}
	return nil
}

// boottime is what CLOCK_BOOTTIME showed when CLOCK_MONOTONIC showed so many microseconds, or 0
// of 0. A machine that has slept since makes it later by as long.
func boottime(us uint64) (enforce.Boottime, error) {
	if us == 0 {
		return 0, nil
	}
	slept, err := slept()
	return enforce.Boottime(int64(us/1000) + slept.Milliseconds()), err
}

// slept is for how long the machine has slept since it was booted. It takes the best of a few
// readings, as it may be held up between one clock and the other.
func slept() (least time.Duration, err error) {
	least = math.MaxInt64
	for range 5 {
		var mono, boot unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
			return 0, fmt.Errorf("CLOCK_MONOTONIC: %w", err)
		}
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
			return 0, fmt.Errorf("CLOCK_BOOTTIME: %w", err)
		}
		least = min(least, time.Duration(boot.Nano()-mono.Nano()))
	}
	return least, nil
}
