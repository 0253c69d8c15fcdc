package systemd

import (
	"context"
	"net"
)

// DialAs has e connect as another user, by a dial that the bus takes for his.
func (e *Enforcer) DialAs(uid int, dial func(context.Context) (net.Conn, error)) {
	e.uid, e.dial = uid, dial
}

// EnvironmentFile writes variables as a unit reads them.
var EnvironmentFile = environmentFile

// UnitOf is the unit whose object has a path.
var UnitOf = nameOf
