package uptime

import (
	"errors"
	"fmt"

	"sandglass/domain/instant"
)

// MinRun is how long a resource runs after it was resumed before it can be paused again. So
// what its holder writes to the log is bounded by the time that is paid for: three events a
// minute, and not by requests.
const MinRun = instant.Minute

// ErrTooSoon says that a resource was resumed less than [MinRun] ago.
var ErrTooSoon = errors.New("resource: it has to run for a while before it is paused again")

// TooSoonError is [ErrTooSoon], and says from when on a resource can be paused.
type TooSoonError struct {
	Again instant.Time
	Wait  instant.Millis // from the time of the command, above 0
}

// Error implements error.
func (e *TooSoonError) Error() string {
	return fmt.Sprintf("%v: it was resumed less than %s ago: try again at %s", ErrTooSoon, MinRun.Std(), e.Again)
}

// Unwrap implements the interface of [errors.Is].
func (*TooSoonError) Unwrap() error { return ErrTooSoon }
