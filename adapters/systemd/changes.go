package systemd

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"

	"github.com/godbus/dbus/v5"
)

// changes are the resources that one call of Changes has not told of yet: at most those that
// have units.
type changes struct {
	ids  map[string]bool // guarded by the bus
	wake chan struct{}   // holds a token if there are some
}

// Changes implements [enforce.Changer]. It begins with "": what changed before it listened is
// not known.
func (e *Enforcer) Changes(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		b, err := e.connect(ctx)
		if err != nil {
			if ctx.Err() == nil {
				yield("", err)
			}
			return
		}
		c := b.listen()
		defer b.unlisten(c)
		if !yield("", nil) {
			return
		}
		for {
			select {
			case <-c.wake:
				for id := range b.take(c) {
					if !yield(id, nil) {
						return
					}
				}
			case <-b.done:
				yield("", fmt.Errorf("systemd: %w", errLost))
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

func (b *bus) listen() *changes {
	c := &changes{ids: map[string]bool{}, wake: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hears[c] = true
	return c
}

func (b *bus) unlisten(c *changes) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.hears, c)
}

// take returns what c was not told of yet, which it then was.
func (b *bus) take(c *changes) map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := c.ids
	c.ids = map[string]bool{}
	return ids
}

// changed notes that something about a unit changed, and how it now is.
func (b *bus) changed(path dbus.ObjectPath, now map[string]dbus.Variant) {
	name, ok := nameOf(path)
	if !ok {
		return
	}
	id, ok := b.of(name)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noteEnd(name, now)
	for c := range b.hears {
		c.ids[id] = true
		select {
		case c.wake <- struct{}{}:
		default: // it will see this one too
		}
	}
}

// noteEnd notes when a unit ended. The caller holds mu.
func (b *bus) noteEnd(name string, now map[string]dbus.Variant) {
	var state string
	var at uint64
	if now["ActiveState"].Store(&state) != nil || now["InactiveEnterTimestampMonotonic"].Store(&at) != nil {
		return // it is not about that
	}
	if state != "inactive" {
		delete(b.ended, name)
	} else if _, found := b.ended[name]; found || len(b.ended) < maxEnded {
		b.ended[name] = at
	}
}

// endOf is when a unit ended that systemd has forgotten, or 0.
func (b *bus) endOf(name string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended[name]
}

// forget forgets a unit, as nothing is left of it.
func (b *bus) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ended, name)
}

// nameOf is the unit whose object has a path: each byte that is no letter or digit is there as
// _ and two hexadecimal digits.
func nameOf(path dbus.ObjectPath) (string, bool) {
	escaped, ok := strings.CutPrefix(string(path), unitsPath+"/")
	var name []byte
	for ok && escaped != "" {
		c := escaped[0]
		escaped = escaped[1:]
		if c == '_' && len(escaped) >= 2 {
			raw, err := hex.DecodeString(escaped[:2])
			ok = err == nil
			name = append(name, raw...)
			escaped = escaped[2:]
		} else {
			name = append(name, c)
		}
	}
	return string(name), ok
}
