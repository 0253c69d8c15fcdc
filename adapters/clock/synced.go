package clock

import (
	"context"

	"sandglass/domain/clock"

	"github.com/godbus/dbus/v5"
)

// synced asks systemd-timedated whether the system takes its clock to be synchronised. Where
// there is no D-Bus, or nothing that answers, that is not known.
func synced(ctx context.Context) clock.Verdict {
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return clock.Unknown
	}
	defer func() { _ = conn.Close() }()
	var v dbus.Variant
	err = conn.Object("org.freedesktop.timedate1", "/org/freedesktop/timedate1").CallWithContext(ctx,
		"org.freedesktop.DBus.Properties.Get", 0, "org.freedesktop.timedate1", "NTPSynchronized").Store(&v)
	yes, ok := v.Value().(bool)
	switch {
	case err != nil || !ok:
		return clock.Unknown
	case yes:
		return clock.Yes
	}
	return clock.No
}
