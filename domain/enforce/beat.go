package enforce

import (
	"errors"
	"fmt"
)

// Beat is a keeper's sign of life: the file is/.beat, which it writes about every 5 seconds for
// as long as it is well.
type Beat struct {
	Version int      `json:"version"`
	Boot    string   `json:"boot"`
	At      Boottime `json:"at"`
	Looked  bool     `json:"looked"` // at each resource once: before that At says nothing of what stands in is/
	Wants   int      `json:"wants"`
	Differ  int      `json:"differ"`    // that are not as wanted, or whose want is not to be followed
	Busy    int      `json:"under_way"` // actions and looks
	Oldest  Boottime `json:"oldest_differs_since,omitempty"`
	Done    int64    `json:"actions_done"` // since the keeper began
	Failed  int64    `json:"actions_failed"`
	Refused int64    `json:"actions_refused"`
}

// Marshal returns b as its file holds it, or an error if there can be no such. It sets the version.
func (b *Beat) Marshal() ([]byte, error) {
	c := *b
	c.Version = Version
	if err := c.check(); err != nil {
		return nil, err
	}
	return marshal(&c)
}

// ParseBeat reads what [Beat.Marshal] wrote, byte for byte, or returns [ErrDamaged].
func ParseBeat(text []byte) (*Beat, error) {
	b := new(Beat)
	if err := parse(text, b, &b.Version); err != nil {
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, nil
}

func (b *Beat) check() error {
	switch {
	case !bootName.MatchString(b.Boot):
		return fmt.Errorf("no boot has the id %.80q", b.Boot)
	case b.At < 1 || b.Wants < 0 || b.Differ < 0 || b.Busy < 0 || b.Oldest < 0 || b.Done < 0 || b.Failed < 0 || b.Refused < 0:
		return errors.New("a number is negative, or the time is not known")
	}
	return nil
}
