package systemd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Names of systemd's on the bus.
const (
	destination = "org.freedesktop.systemd1"
	managerPath = "/org/freedesktop/systemd1"
	unitsPath   = managerPath + "/unit"
	manager     = destination + ".Manager"
	unitIface   = destination + ".Unit"
	properties  = "org.freedesktop.DBus.Properties"
)

// errLost says that the connection ended: whether what was asked is so can't be told.
var errLost = errors.New("the connection to the system bus is lost")

// maxJobs is how many jobs of a unit may end before a call has heard of its own.
const maxJobs = 64

// bus is a connection to the system's bus on which systemd tells what changes.
type bus struct {
	conn *dbus.Conn
	done chan struct{} // closed when the last signal was handled, as the connection is lost

	of func(unit string) (id string, ok bool) // the resource of a unit, if it may be one

	mu    sync.Mutex
	jobs  map[string]map[chan job]bool // whom the end of a unit's jobs is told
	hears map[*changes]bool            // whom a change of a unit is told
	// When units ended that did not fail, as CLOCK_MONOTONIC's microseconds: systemd tells it
	// once and forgets the unit. At most maxEnded.
	ended map[string]uint64
}

// maxEnded is how many units may have ended and not be removed yet: more than a host has.
const maxEnded = 20_000

// job is one that has ended.
type job struct {
	path   dbus.ObjectPath
	result string // done, canceled, timeout, failed, dependency, skipped, …
}

// open begins to talk on a connection, and owns it.
func open(ctx context.Context, conn *dbus.Conn, uid int, of func(string) (string, bool)) (*bus, error) {
	b := &bus{conn: conn, done: make(chan struct{}), of: of,
		jobs: map[string]map[chan job]bool{}, hears: map[*changes]bool{}, ended: map[string]uint64{}}
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals) // while it is open: else it would not be closed
	go b.hear(signals)
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // the authentication knows no context
	defer stop()
	err := greet(ctx, conn, uid)
	if err == nil {
		err = subscribe(ctx, conn)
	}
	if err != nil {
		return nil, errors.Join(err, context.Cause(ctx), b.close())
	}
	return b, nil
}

// dial connects to the socket of a bus. The connection is of godbus's own transport for sockets: with the
// one for any stream it panics where that ends within a message.
func dial(socket string) (*dbus.Conn, error) {
	return dbus.Dial("unix:path="+dbus.EscapeBusAddressValue(socket), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
}

func greet(ctx context.Context, conn *dbus.Conn, uid int) error {
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(uid))}); err != nil {
		return err
	}
	return conn.Hello()
}

// subscribe has systemd tell of the ends of jobs and of changes of units.
func subscribe(ctx context.Context, conn *dbus.Conn) error {
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(destination), dbus.WithMatchInterface(manager), dbus.WithMatchMember("JobRemoved")},
		{dbus.WithMatchSender(destination), dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"),
			dbus.WithMatchPathNamespace(unitsPath), dbus.WithMatchArg(0, unitIface)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return err
		}
	}
	return conn.Object(destination, managerPath).CallWithContext(ctx, manager+".Subscribe", 0).Err
}

func (b *bus) close() error {
	err := b.conn.Close()
	<-b.done
	return err
}

// hear tells those who wait for it what systemd says, until the connection is lost.
func (b *bus) hear(signals <-chan *dbus.Signal) {
	defer close(b.done)
	for s := range signals {
		switch s.Name {
		case manager + ".JobRemoved":
			var id uint32
			var name string
			var j job
			if dbus.Store(s.Body, &id, &j.path, &name, &j.result) == nil {
				b.jobEnded(name, j)
			}
		case properties + ".PropertiesChanged":
			var iface string
			var now map[string]dbus.Variant
			var gone []string
			if dbus.Store(s.Body, &iface, &now, &gone) == nil {
				b.changed(s.Path, now)
			}
		}
	}
}

func (b *bus) jobEnded(name string, j job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for waiting := range b.jobs[name] {
		select {
		case waiting <- j:
		default: // see maxJobs; the call ends at its deadline
		}
	}
}

// job has systemd make a job of a unit, in place of any other, and returns how it ended.
func (b *bus) job(ctx context.Context, method, name string) (result string, err error) {
	ends := make(chan job, maxJobs)
	b.mu.Lock()
	if b.jobs[name] == nil {
		b.jobs[name] = map[chan job]bool{}
	}
	b.jobs[name][ends] = true // before it can end
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if delete(b.jobs[name], ends); len(b.jobs[name]) == 0 {
			delete(b.jobs, name)
		}
	}()
	var path dbus.ObjectPath
	if err := b.call(ctx, method, name, "replace").Store(&path); err != nil {
		return "", err
	}
	for {
		select {
		case j := <-ends:
			if j.path == path {
				return j.result, nil
			}
		case <-b.done:
			return "", errLost
		case <-ctx.Done():
			return "", fmt.Errorf("its job has not ended: %w", context.Cause(ctx))
		}
	}
}

// resetFailed has systemd forget that a unit failed, and how often it was started. A unit that
// systemd has forgotten altogether needs none.
func (b *bus) resetFailed(ctx context.Context, name string) error {
	err := b.call(ctx, "ResetFailedUnit", name).Err
	var told dbus.Error
	if errors.As(err, &told) && told.Name == destination+".NoSuchUnit" {
		return nil
	}
	return err
}

func (b *bus) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return b.conn.Object(destination, managerPath).CallWithContext(ctx, manager+"."+method, 0, args...)
}

// pathOf is the object of a unit.
func pathOf(name string) dbus.ObjectPath {
	return dbus.ObjectPath(unitsPath + "/" + systemd.PathBusEscape(name))
}
