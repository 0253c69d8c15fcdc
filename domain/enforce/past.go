package enforce

import (
	"errors"
	"slices"

	"sandglass/domain/resource/uptime"
)

// MaxOutages is how many outages an [Is] tells of at most. When there are more, the oldest falls
// off, and counts as time that it was up: a daemon that runs has heard of it long before, for
// each takes [uptime.MinOutage] or more and all are read each minute.
const MaxOutages = uptime.MaxOutages

// Outage is a time over which a resource is known not to have been up, whether it was wanted so
// or not. All but the latest last [uptime.MinOutage] or more.
type Outage struct {
	From Boottime `json:"from"`         // when it went down
	To   Boottime `json:"to,omitempty"` // when it was up again; 0 if that is not known: of the last one alone
}

// Open returns since when a resource is down, as far as was known last, and false if it was up.
func (i *Is) Open() (since Boottime, ok bool) {
	if n := len(i.Outages); n > 0 && i.Outages[n-1].To == 0 {
		return i.Outages[n-1].From, true
	}
	return 0, false
}

// learn takes in that the resource is now known to be up, or not to be, since an instant. What was too
// short for an outage is kept until there is another one: it tells since when it is up. The
// outages that it had stay as they are, for others have them too.
func (i *Is) learn(s Status) {
	if i.First == 0 {
		i.First = s.Since
	}
	n := len(i.Outages)
	switch from, down := i.Open(); {
	case s.State == Up && down:
		i.Outages = slices.Clone(i.Outages)
		i.Outages[n-1].To = s.Since
		if s.Since <= from {
			i.Outages = i.Outages[:n-1]
		}
	case s.State != Up && !down:
		o := Outage{From: s.Since}
		if n > 0 {
			o.From = max(o.From, i.Outages[n-1].To)
			if last := i.Outages[n-1]; last.To-last.From < Boottime(uptime.MinOutage) {
				if n--; i.First == last.From {
					i.First = last.To
				}
			}
		}
		i.Outages = append(slices.Clone(i.Outages[max(0, n-MaxOutages+1):n]), o)
	}
}

// same reports whether i and o say the same.
func (i *Is) same(o *Is) bool {
	return i.Version == o.Version && i.ID == o.ID && i.State == o.State && i.Since == o.Since && i.Boot == o.Boot &&
		i.Generation == o.Generation && i.Why == o.Why && i.Tries == o.Tries && i.Invocation == o.Invocation &&
		i.First == o.First && slices.Equal(i.Outages, o.Outages)
}

func checkOutages(list []Outage) error {
	end := Boottime(0)
	for n, o := range list {
		open := n == len(list)-1 && o.To == 0
		if o.From < end || !open && o.To <= o.From {
			return errors.New("its outages do not come one after another")
		}
		end = o.To
	}
	if len(list) > MaxOutages {
		return errors.New("it has too many outages")
	}
	return nil
}
