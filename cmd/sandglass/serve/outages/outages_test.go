package outages

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/watch"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// failing has a part fail every second for so long, and returns when it was told.
func failing(o *Outages, d time.Duration, kind string) (told []string) {
	begin := time.Now()
	for ; time.Since(begin) < d; time.Sleep(time.Second) { // of a test's own clock
		if s, tell := o.Failed("wallet", kind); tell {
			told = append(told, fmt.Sprintf("%s %d", s.Lasted, s.Failures))
		}
	}
	return told
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnOutageIsToldAtItsBeginThenMoreSeldomAndAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o Outages
		same(t, failing(&o, 190*time.Minute, "connecting"),
			"0s 1", "1m0s 61", "5m0s 301", "15m0s 901", "1h0m0s 3601", "2h0m0s 7201", "3h0m0s 10801")
		if s, tell := o.Ended("wallet"); !tell || s != (Span{190 * 60, 190 * time.Minute}) {
			t.Errorf("at its end: %v %t", s, tell)
		}
		if _, tell := o.Ended("wallet"); tell {
			t.Error("its end is told twice")
		}
		time.Sleep(settled)
		same(t, failing(&o, time.Second, "connecting"), "0s 1")
	})
}

func TestAnotherKindOfOutageIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o Outages
		same(t, failing(&o, 10*time.Second, "connecting"), "0s 1")
		same(t, failing(&o, 10*time.Second, "locked"), "10s 11")
		same(t, failing(&o, 10*time.Second, "connecting"))
		same(t, failing(&o, 31*time.Second, "locked"), "1m0s 61")
	})
}

// TestWhatComesAndGoesIsOneOutage: such as a stream that is refused after each sweep.
func TestWhatComesAndGoesIsOneOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o Outages
		var told []string
		ends := 0
		for range 6 * 50 { // 50 minutes
			told = append(told, failing(&o, 5*time.Second, "denied")...)
			if _, tell := o.Ended("wallet"); tell {
				ends++
			}
			time.Sleep(5 * time.Second)
		}
		same(t, told, "0s 1", "1m0s 31", "5m0s 151", "15m0s 451")
		if ends != len(told) {
			t.Errorf("%d ends were told of", ends)
		}
		// When it goes for good, that is told before the hour's reminder is due.
		same(t, failing(&o, 2*time.Minute, "denied"), "51m0s 1561")
	})
}

func TestPartsFailByThemselves(t *testing.T) {
	var o Outages
	_, first := o.Failed("wallet", "connecting")
	_, second := o.Failed("chain", "connecting")
	_, other := o.Ended("meter")
	if !first || !second || other {
		t.Error(first, second, other)
	}
}

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
