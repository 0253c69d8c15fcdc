package serve

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/watch"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// TestAWalletThatIsAwayIsFewLines: the proof of 48 lines a minute; and each is counted.
func TestAWalletThatIsAwayIsFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := newCounts(zerolog.New(&log).Level(zerolog.InfoLevel))
		wallet := c.of("wallet")
		away := &watch.Trouble{Condition: watch.Connecting, Advice: "lnd does not answer", Err: errors.New("refused")}
		for range 48 * 4 {
			wallet.Notice(watch.Notice{Sign: watch.SignReconnect, Err: away})
			time.Sleep(1250 * time.Millisecond)
		}
		wallet.Swept(time.Millisecond, 0, 0)
		wallet.Notice(watch.Notice{Sign: watch.SignConflict, Text: "an alarm"})
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		for i, want := range []string{
			`"component":"wallet"`, `"failures":49,"for":"1m0s"`,
			`"message":"the wallet answers again after 4m0s"`, `"an alarm"`,
		} {
			if len(lines) != 4 || !strings.Contains(lines[i], want) {
				t.Fatalf("no %s in line %d of\n%s", want, i, log.String())
			}
		}
		r := prometheus.NewRegistry()
		r.MustRegister(c.notices)
		counted, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		tries := 0.0
		for _, m := range counted[0].Metric {
			if m.Label[0].GetValue() == string(watch.SignReconnect) {
				tries = m.Counter.GetValue()
			}
		}
		if tries != 192 {
			t.Errorf("%g tries were counted, want 192", tries)
		}
	})
}
