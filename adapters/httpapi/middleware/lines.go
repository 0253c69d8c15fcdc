package middleware

import (
	"net/http"
	"sync"
	"time"

	"sandglass/adapters/httpapi/limit"

	"github.com/rs/zerolog"
)

// What requests may write into the log, whoever sends them: a journal that is filled drops alarms.
// Metrics count each request.
var (
	ofChanges  = limit.Rate{PerSecond: 20, Burst: 200}     // those that were done
	ofFailures = limit.Rate{PerSecond: 1. / 10, Burst: 10} // on our side, of each code
	ofRefusals = limit.Rate{PerSecond: 1. / 60, Burst: 1}  // of each code
)

// codes are more than there are codes of problems, which are all that lines are told apart by.
const codes = 256

// lines decide which requests are a line of the log at its usual level. What is more than the
// bound of its kind is of level debug, and counted in the next line of its kind.
type lines struct {
	mu                          sync.Mutex // of one line
	changes, failures, refusals *limit.Rates[string]
	left                        map[string]int64 // out since the last line, by code; "" of changes
}

func newLines() *lines {
	rates := func(r limit.Rate) *limit.Rates[string] { return limit.NewRates[string](r, codes) }
	return &lines{
		changes: rates(ofChanges), failures: rates(ofFailures), refusals: rates(ofRefusals),
		left: map[string]int64{},
	}
}

// levelOf returns the level of a request's line, and how many of its kind were left out before.
// What changes nothing is of interest to few; what who has a token does is told each time.
func (l *lines) levelOf(r *Request, method string, now time.Time) (level zerolog.Level, left int64) {
	level, rates := zerolog.DebugLevel, l.changes
	switch {
	case r.cause != nil && r.status == http.StatusInternalServerError:
		level, rates = zerolog.ErrorLevel, l.failures
	case r.cause != nil:
		level, rates = zerolog.WarnLevel, l.failures
	case changes(method):
		level = zerolog.InfoLevel
		if r.status >= http.StatusBadRequest {
			rates = l.refusals
		}
	}
	if level == zerolog.DebugLevel || r.Caller.Operator {
		return level, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if rates.Take(r.code, now) > 0 {
		l.left[r.code]++
		return zerolog.DebugLevel, 0
	}
	left = l.left[r.code]
	delete(l.left, r.code)
	return level, left
}

// changes reports whether a call of that method may change something.
func changes(method string) bool {
	switch method {
	case http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch:
		return true
	}
	return false
}
