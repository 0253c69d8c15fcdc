package systemd

import "github.com/godbus/dbus/v5"

// DialAs has e connect as another user, by a dial that the bus takes for his.
func (e *Enforcer) DialAs(uid int, dial func() (*dbus.Conn, error)) { e.uid, e.dial = uid, dial }

// Dial connects to the socket of a bus.
var Dial = dial

// EnvironmentFile writes variables as a unit reads them.
var EnvironmentFile = environmentFile

// UnitOf is the unit whose object has a path.
var UnitOf = nameOf
