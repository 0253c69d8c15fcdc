package uptime

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"sandglass/domain/instant"
)

// MaxOutages is how many outages a report tells of at most.
const MaxOutages = 64

// MaxWhy is how many bytes a report may have to say why a resource is down.
const MaxWhy = 200

// Check returns an error unless a report can be: of outages, of what is so since then, up to the
// time of the report, and why.
func Check(outages []Span, since, at instant.Time, why string) error {
	end := instant.Time(0)
	for _, o := range outages {
		if o.From < end || o.To <= o.From {
			return errors.New("a report's outages come one after another")
		}
		end = o.To
	}
	switch {
	case len(outages) > MaxOutages:
		return fmt.Errorf("a report tells of %d outages at most", MaxOutages)
	case since < end || since > at:
		return errors.New("what a report says is so since its last outage, and not only later")
	case len(why) > MaxWhy || !utf8.ValidString(why) || strings.ContainsFunc(why, unicode.IsControl):
		return fmt.Errorf("why a resource is down is told in %d bytes on one line", MaxWhy)
	}
	return nil
}
