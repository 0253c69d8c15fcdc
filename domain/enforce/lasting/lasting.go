// Package lasting is what of a keeper's word outlasts a boot: when it was last well, and what had gone
// down by then that the log may not know of. By that a power cut counts from when the machine was last
// seen to run, also if the daemon was dead by then, and nobody pays for an outage before it.
//
// The keeper has [Outages] note what it finds and leaves [Signs] every few seconds; the daemon leaves a
// [Heard] as it goes on, and reads the signs at its start. How files outlast a power cut is left to an
// adapter.
package lasting

import (
	"encoding/json"
	"fmt"
	"slices"

	"sandglass/domain/enforce"
	"sandglass/domain/resource"
)

// MaxBoots is how many boots [Signs] tell of: more than pass while a daemon is dead.
const MaxBoots = 8

// Signs are the keeper's last signs of life, one a boot.
type Signs struct {
	Version int    `json:"version"`
	Boots   []Boot `json:"boots"` // earliest first, up to [MaxBoots]
}

// Boot is the last sign of life in one boot.
type Boot struct {
	ID string           `json:"boot"`
	At enforce.Boottime `json:"at"` // of that boot: until then the keeper was well
	// Down is when resources went down of which the log may not know, up to [enforce.MaxOutages] times each.
	Down map[string][]enforce.Boottime `json:"down,omitempty"`
}

// Parse reads what [Signs.Marshal] wrote, or returns [enforce.ErrDamaged].
func Parse(b []byte) (*Signs, error) {
	s := new(Signs)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("%w: %w", enforce.ErrDamaged, err)
	}
	if s.Version != enforce.Version || len(s.Boots) > MaxBoots {
		return nil, fmt.Errorf("%w: version %d with %d boots: this build knows version %d with up to %d",
			enforce.ErrDamaged, s.Version, len(s.Boots), enforce.Version, MaxBoots)
	}
	for _, boot := range s.Boots {
		if err := boot.check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (b *Boot) check() error {
	if b.ID == "" || b.At < 1 || len(b.Down) > enforce.MaxWants {
		return fmt.Errorf("%w: the boot %.80q at %d, with %d down", enforce.ErrDamaged, b.ID, b.At, len(b.Down))
	}
	for id, went := range b.Down {
		if !resource.IsName(id) || len(went) > enforce.MaxOutages || !slices.IsSorted(went) ||
			len(went) > 0 && (went[0] < 0 || went[len(went)-1] > b.At) {
			return fmt.Errorf("%w: %.80q went down at %d, by %d", enforce.ErrDamaged, id, went, b.At)
		}
	}
	return nil
}

// Marshal returns s as its file holds it. It sets the version.
func (s *Signs) Marshal() ([]byte, error) {
	s.Version = enforce.Version
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// Set takes the sign of a boot, in the place of the one before of the same boot.
func (s *Signs) Set(b Boot) {
	if n := len(s.Boots); n > 0 && s.Boots[n-1].ID == b.ID {
		s.Boots[n-1] = b
		return
	}
	s.Boots = append(slices.Clone(s.Boots[max(0, len(s.Boots)-MaxBoots+1):]), b)
}

// Of returns the last sign of life in a boot, false if none is known.
func (s *Signs) Of(boot string) (Boot, bool) {
	n := slices.IndexFunc(s.Boots, func(b Boot) bool { return b.ID == boot })
	if n < 0 {
		return Boot{}, false
	}
	return s.Boots[n], true
}

// Heard is up to when the log has the outages of a host: the daemon leaves it as it goes on.
type Heard struct {
	Version int              `json:"version"`
	Boot    string           `json:"boot"`
	At      enforce.Boottime `json:"at"` // what went down until then is in the log
}

// Marshal returns h as its file holds it. It sets the version.
func (h *Heard) Marshal() ([]byte, error) {
	h.Version = enforce.Version
	b, err := json.Marshal(h)
	return append(b, '\n'), err
}

// HeardIn returns up to when the log has the outages of a boot, by what [Heard.Marshal] wrote; 0 if
// that does not say so.
func HeardIn(b []byte, boot string) enforce.Boottime {
	var h Heard
	if json.Unmarshal(b, &h) != nil || h.Version != enforce.Version || h.Boot != boot {
		return 0
	}
	return h.At
}
