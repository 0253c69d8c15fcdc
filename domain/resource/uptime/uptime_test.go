package uptime_test

import (
	"testing"

	"pgregory.net/rapid"

	"sandglass/domain/instant"
	"sandglass/domain/resource/uptime"
)

// TestClock holds that At is the first instant by which a clock has Ran for so long, over several
// periods and from anywhere in one.
func TestClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, least, most instant.Millis) instant.Millis {
			return instant.Millis(rapid.Int64Range(int64(least), int64(most)).Draw(t, name))
		}
		bound := draw("bound", 1, uptime.Period-instant.Hour)
		from := instant.Time(0).Add(draw("from", 0, 3*uptime.Period))
		var u uptime.State
		k := u.PeriodAt(from)
		used := uptime.Budget{Period: k, Used: draw("used", 0, bound)}
		c, ok := u.Standing(from, used, bound)
		if !ok {
			t.Fatal("a clock with a bound does not run")
		}
		sum := draw("sum", 1, 3*uptime.Period)
		at := c.At(sum)
		ran, to := c.Ran(at)
		if before, _ := c.Ran(at - 1); ran != sum || to != at || before != sum-1 {
			t.Fatalf("at %s it ran for %d ms up to %s, and %d a millisecond before: want %d", at, ran, to, before, sum)
		}
	})
}

// TestBudget holds that no period is spent beyond its bound, and that only the time of a span counts.
func TestBudget(t *testing.T) {
	const day = instant.Day
	var u uptime.State
	at := func(days instant.Millis) instant.Time { return instant.Time(0).Add(days * day) }
	var b uptime.Budget
	for _, x := range []struct {
		from, to     instant.Millis // days
		now, earlier instant.Millis // days used of the latest period and of the one before
	}{
		{1, 3, 2, 0},
		{4, 12, 5, 0},   // a bound of 5 days
		{28, 33, 3, 5},  // into the next
		{29, 30, 3, 5},  // told again of the one before, which is used up
		{91, 92, 1, 0},  // the one between used none
		{20, 25, 1, 0},  // nothing is known of so long ago
		{95, 160, 5, 5}, // over all of a period
	} {
		b = u.Spend(b, uptime.Span{From: at(x.from), To: at(x.to)}, 5*day)
		k := b.Period
		if b.In(k) != x.now*day || b.In(k-1) != x.earlier*day || b.Left(k, 5*day) != (5-x.now)*day || b.Left(k+1, 5*day) != 5*day {
			t.Errorf("after the days %d to %d: %+v", x.from, x.to, b)
		}
	}
}
