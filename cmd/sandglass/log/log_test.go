package log

import (
	"bytes"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
)

func TestHowManyEventsThereAre(t *testing.T) {
	for want, l := range map[string]wire.Log{
		"the log has 1 event, and is not signed yet\n":    {Events: 1},
		"the log has 0 events, and is not signed yet\n":   {},
		"the log has 2 events, of which 1 is signed\n":    {Events: 2, Signed: 1, Forks: make([]wire.LogFork, 1)},
		"the log has 12 events, of which 11 are signed\n": {Events: 12, Signed: 11, Forks: make([]wire.LogFork, 1)},
		"the log has 1 event, and 12 were signed\n":       {Events: 1, Signed: 12, Forks: make([]wire.LogFork, 1)},
	} {
		var out bytes.Buffer
		if err := (commands{&cli.Env{Stdout: &out}}).show(&l); err != nil || !strings.HasPrefix(out.String(), want) {
			t.Errorf("it says %q, %v, want %q", &out, err, want)
		}
	}
}
