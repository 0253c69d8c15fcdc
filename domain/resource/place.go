package resource

import "fmt"

// IsName reports whether s can name a host, as it can a plan or a resource: 1 to 64 of
// a-z, 0-9 and '-', not at an end.
func IsName(s string) bool {
	ok := s != "" && len(s) <= 64 && s[0] != '-' && s[len(s)-1] != '-'
	for _, c := range []byte(s) {
		ok = ok && (c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z')
	}
	return ok
}

func badHost(name string) error {
	return fmt.Errorf("%w: the host %.80q: want 1 to 64 of a-z, 0-9 and -, no - at the ends", ErrInvalid, name)
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
