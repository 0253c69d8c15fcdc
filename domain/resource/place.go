package resource

import (
	"fmt"

	"sandglass/domain/resource/name"
)

// IsName reports whether s can name a host, as it can a plan or a resource: see [name.Is].
func IsName(s string) bool { return name.Is(s) }

func badHost(host string) error {
	return fmt.Errorf("%w: the host %.80q: want 1 to 64 of a-z, 0-9 and -, no - at the ends", ErrInvalid, host)
}

// place settles first, so that what was used under a host was debited under it.
func (d *deciding) place(c Place) error {
	switch {
	case d.s.Status == StatusReleased:
		return ErrReleased
	case !IsName(c.Host):
		return badHost(c.Host)
	case d.s.Host == c.Host:
		return nil
	}
	d.settle()
	d.emit(&Placed{At: d.now(), Host: c.Host})
	if d.s.Terms.Uptime && d.s.wanted() {
		d.begin(ReasonMoved)
	}
	return nil
}
