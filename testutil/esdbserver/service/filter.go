package service

import (
	"regexp"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"sandglass/testutil/esdbserver/eventlog"
)

// filterPage is how many events a page of a filtered read holds, and the window of a
// client that asks for none.
const filterPage = 32

// filter is what a subscription to all wants to see.
type filter struct {
	filtered   bool
	ofType     bool // it looks at the event's type, not at the stream's name
	prefixes   []string
	expression *regexp.Regexp
	window     int // how many events it looks at in a page
	interval   int // after how many it tells a checkpoint
	considered int // since the last checkpoint
}

func newFilter(o *streams.ReadReq_Options_FilterOptions) (*filter, error) {
	if o == nil {
		return &filter{window: pageSize}, nil
	}
	f := &filter{filtered: true, window: filterPage}
	e := o.GetStreamIdentifier()
	if t := o.GetEventType(); t != nil {
		e, f.ofType = t, true
	}
	switch {
	case e.GetRegex() != "":
		expression, err := regexp.Compile(e.GetRegex())
		if err != nil {
			return nil, invalidArgument("the filter, in the syntax of Go: " + err.Error())
		}
		f.expression = expression
	case len(e.GetPrefix()) > 0:
		f.prefixes = e.GetPrefix()
	default:
		return nil, invalidArgument("a filter has a regular expression or prefixes")
	}
	if _, ok := o.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); ok {
		if f.window = int(o.GetMax()); f.window <= 0 {
			return nil, invalidArgument("maxSearchWindow should be positive")
		}
	}
	if o.GetCheckpointIntervalMultiplier() == 0 {
		return nil, invalidArgument("checkpointIntervalMultiplier should be positive")
	}
	f.interval = f.window * int(o.GetCheckpointIntervalMultiplier())
	return f, nil
}

func (f *filter) match(r *eventlog.Record) bool {
	if !f.filtered || r.Stream.Hidden {
		return !r.Stream.Hidden
	}
	text := r.Stream.Name
	if f.ofType {
		text = r.Kind.Name
	}
	if f.expression != nil {
		return f.expression.MatchString(text)
	}
	for _, p := range f.prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}
