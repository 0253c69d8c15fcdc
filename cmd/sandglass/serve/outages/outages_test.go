package outages

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
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
