// Package systemd starts and stops the units of resources, over D-Bus.
//
// A resource is an instance of a template that the operator allows: vm-7 of app@.service is
// app@vm\x2d7.service, as systemd-escape has it, so that %I in the unit is vm-7. There are no
// transient units: the right to make one is that of root. What the resource is told of itself is
// in a file for EnvironmentFile=.
//
// What systemd says of a unit decides, not how a job ended: a stop that had to kill has
// stopped. What can't be read is an error, and never down. To systemd a unit that was told to
// start is active when it says so by its Type=, and what crashed is activating while systemd waits
// to start it again.
//
// The connection is godbus's own. That of go-systemd, which is the usual choice, takes one lock over each call
// that makes a job, deaf to its context, so that one that hangs would hold up all; and it drops signals.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"
	"github.com/godbus/dbus/v5"

	"sandglass/domain/enforce"
	"sandglass/domain/resource"
)

// maxName is how long systemd lets the name of a unit be, in bytes.
const maxName = 255

// Options says which units may be started, and where things are.
type Options struct {
	Allowed []string // patterns of templates, as path.Match has them: app@.service, vm-*@.service
	EnvDir  string   // holds <id>.env of what is there: /run/sandglass/resources
	Socket  string   // of the bus; empty for the system's
}

// Enforcer is an [enforce.Enforcer] and an [enforce.Changer] for resources that are units.
type Enforcer struct {
	allowed []string
	envDir  string
	dial    func() (*dbus.Conn, error)
	uid     int           // whom the bus sees
	opening chan struct{} // holds a token while nobody opens a connection
	bus     *bus          // the last one, which may be lost; who has the token may use it
}

// New returns an enforcer, or an error if a pattern is malformed. It connects when it is needed.
func New(o Options) (*Enforcer, error) {
	for _, pattern := range o.Allowed {
		if _, err := path.Match(pattern, ""); err != nil || !strings.HasSuffix(pattern, "@.service") {
			return nil, fmt.Errorf("systemd: the pattern %q of units: want one such as app@.service or vm-*@.service", pattern)
		}
	}
	socket := o.Socket
	if socket == "" {
		socket = "/run/dbus/system_bus_socket"
	}
	e := &Enforcer{allowed: o.Allowed, envDir: o.EnvDir, uid: os.Geteuid(), opening: make(chan struct{}, 1)}
	e.dial = func() (*dbus.Conn, error) { return dial(socket) }
	e.opening <- struct{}{}
	return e, nil
}

// Close lets go of the connection. Calls that are under way fail.
func (e *Enforcer) Close() error {
	<-e.opening
	defer func() { e.opening <- struct{}{} }()
	if e.bus != nil {
		return e.bus.close()
	}
	return nil
}

// connect returns the connection, which it opens if there is none that works.
func (e *Enforcer) connect(ctx context.Context) (*bus, error) {
	select {
	case <-e.opening:
		defer func() { e.opening <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if e.bus != nil && e.bus.conn.Connected() {
		return e.bus, nil
	}
	conn, err := e.dial()
	if err == nil {
		e.bus, err = open(ctx, conn, e.uid, e.id)
	}
	if err != nil {
		return nil, fmt.Errorf("systemd: the system bus: %w", err)
	}
	return e.bus, nil
}

// Do implements [enforce.Enforcer].
func (e *Enforcer) Do(ctx context.Context, v enforce.Verb, w *enforce.Want) error {
	name, err := e.unit(w)
	if err != nil {
		return err
	}
	b, err := e.connect(ctx)
	if err != nil {
		return err
	}
	switch v {
	case enforce.Start:
		err = e.start(ctx, b, name, w)
	case enforce.Stop:
		err = stop(ctx, b, name)
	case enforce.Remove:
		err = e.remove(ctx, b, name, w)
	default:
		panic(fmt.Sprintf("systemd: unknown verb %q", v))
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", v, name, explain(err, name))
	}
	return nil
}

// Status implements [enforce.Enforcer]. What is down and has no file any more is gone.
func (e *Enforcer) Status(ctx context.Context, w *enforce.Want) (enforce.Status, error) {
	name, err := e.unit(w)
	if err != nil {
		return enforce.Status{}, err
	}
	b, err := e.connect(ctx)
	if err != nil {
		return enforce.Status{}, err
	}
	l, err := b.look(ctx, name)
	if err != nil {
		return enforce.Status{}, fmt.Errorf("%s: %w", name, explain(err, name))
	}
	s, err := l.status()
	if err == nil && s.State == enforce.Down && !e.hasEnv(w.ID) {
		s.State = enforce.Gone
	}
	return s, err
}

// start has a unit run, unless something about it would have it run unpaid, or not at all.
func (e *Enforcer) start(ctx context.Context, b *bus, name string, w *enforce.Want) error {
	l, err := b.look(ctx, name)
	if err == nil {
		err = l.startable()
	}
	if err == nil {
		err = e.writeEnv(w)
	}
	if err != nil || l.state() == enforce.Up && l.settled() {
		return err
	}
	if l.ActiveState == "failed" { // its count of starts may be used up
		if err := b.resetFailed(ctx, name); err != nil {
			return err
		}
	}
	result, err := b.job(ctx, "StartUnit", name)
	if err != nil {
		return err
	}
	if l, err = b.look(ctx, name); err != nil || l.state() == enforce.Up {
		return err
	}
	if result == "done" {
		return errors.New("its start is done, and it does not run: see its Condition…= and, for Type=oneshot, RemainAfterExit=")
	}
	s, err := l.status()
	return errors.Join(fmt.Errorf("its start ended as %s %s", result, s.Why), err)
}

// stop has a unit not run.
func stop(ctx context.Context, b *bus, name string) error {
	l, err := b.look(ctx, name)
	if err != nil || l.state() == enforce.Down && l.settled() {
		return err
	}
	result, err := b.job(ctx, "StopUnit", name)
	if err != nil {
		return err
	}
	if l, err = b.look(ctx, name); err != nil || l.state() == enforce.Down {
		return err
	}
	return fmt.Errorf("its stop ended as %s, and it is %s", result, l.ActiveState)
}

// remove has a unit not run, and nothing be left of it but what it wrote itself.
func (e *Enforcer) remove(ctx context.Context, b *bus, name string, w *enforce.Want) error {
	if err := stop(ctx, b, name); err != nil {
		return err
	}
	l, err := b.look(ctx, name)
	if err == nil && l.ActiveState == "failed" {
		err = b.resetFailed(ctx, name)
	}
	if err != nil {
		return err
	}
	b.forget(name)
	return e.removeEnv(w.ID)
}

// unit is the name of a resource's unit, if its template is allowed.
func (e *Enforcer) unit(w *enforce.Want) (string, error) {
	if !e.allows(w.Unit) {
		return "", fmt.Errorf("%w: SANDGLASS_SYSTEMD_UNITS does not allow %q, only %q", enforce.ErrRefused, w.Unit, e.allowed)
	}
	prefix, _, _ := strings.Cut(w.Unit, "@")
	name := prefix + "@" + unit.UnitNameEscape(w.ID) + ".service"
	if !resource.IsName(w.ID) || len(name) > maxName {
		return "", fmt.Errorf("%w: %q can't be an instance of %s", enforce.ErrRefused, w.ID, w.Unit)
	}
	return name, nil
}

// id is the resource whose unit has a name, if there may be such a resource.
func (e *Enforcer) id(name string) (string, bool) {
	prefix, rest, found := strings.Cut(name, "@")
	instance, service := strings.CutSuffix(rest, ".service")
	if !found || !service || !e.allows(prefix+"@.service") {
		return "", false
	}
	id := unit.UnitNameUnescape(instance)
	return id, resource.IsName(id)
}

func (e *Enforcer) allows(template string) bool {
	prefix, rest, _ := strings.Cut(template, "@")
	for _, pattern := range e.allowed {
		if ok, err := path.Match(pattern, template); ok && err == nil && prefix != "" && rest == ".service" {
			return true
		}
	}
	return false
}

// explain makes of what D-Bus says what to do.
func explain(err error, name string) error {
	var told dbus.Error
	if !errors.As(err, &told) {
		return err
	}
	switch told.Name {
	case "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "org.freedesktop.DBus.Error.AccessDenied":
		return fmt.Errorf("%w: polkit lets this user neither start nor stop it: name its template in "+
			"/etc/polkit-1/rules.d/50-sandglass-keeper.rules", enforce.ErrRefused)
	case "org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitMasked",
		"org.freedesktop.systemd1.LoadFailed", "org.freedesktop.systemd1.BadUnitSetting":
		return fmt.Errorf("%w: %w: see systemctl status '%s'", enforce.ErrRefused, err, name)
	}
	return err
}
