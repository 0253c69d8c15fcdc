package payer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/instant"
)

// viewer is told of a resource, and reports whether it has seen enough.
type viewer func(*wire.Resource) (done bool, err error)

// follow calls see with a resource as it is, and again whenever it changes, until it has
// seen enough, the resource is released, or ctx ends, whose error it returns.
func (c commands) follow(ctx context.Context, cl *client.Client, id string, see viewer) error {
	for r, err := range cl.Resuming(c.Broken).Live(ctx, id) {
		if err != nil {
			return err
		}
		if done, err := see(&r); done || err != nil {
			return err
		}
	}
	return nil
}

// live shows a resource until it is released or the user has seen enough.
func (c commands) live(ctx context.Context, cl *client.Client, id string) error {
	var err error
	switch {
	case c.JSON:
		err = c.follow(ctx, cl, id, func(r *wire.Resource) (bool, error) { return false, show.Line(c.Stdout, r) })
	case show.IsTerminal(c.Stdout):
		err = c.countdown(ctx, cl, id)
	default:
		var before *wire.Resource
		err = c.follow(ctx, cl, id, func(r *wire.Resource) (bool, error) {
			c.printNews(before, r)
			before = r
			return false, nil
		})
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // Ctrl-C ends a view as it should
	}
	return err
}

// tick is how often the countdown is drawn.
const tick = 200 * time.Millisecond

// countdown draws the resource on one line, with its news above it.
func (c commands) countdown(ctx context.Context, cl *client.Client, id string) error {
	ctx, cancel := context.WithCancel(ctx)
	updates, ended := make(chan *wire.Resource), make(chan error, 1)
	go func() {
		ended <- c.follow(ctx, cl, id, func(r *wire.Resource) (bool, error) {
			select {
			case updates <- r:
			case <-ctx.Done():
			}
			return false, ctx.Err()
		})
	}()
	clock := time.NewTicker(tick)
	defer clock.Stop()
	defer cancel()
	var now *wire.Resource
	var since time.Time
	for {
		select {
		case r := <-updates:
			c.printNews(now, r)
			now, since = r, time.Now()
		case <-clock.C:
		case err := <-ended:
			fmt.Fprintln(c.Stdout)
			return err
		}
		if now != nil {
			fmt.Fprint(c.Stdout, c.ClearLine()+countLine(now, instant.OfDuration(time.Since(since)), show.Width(c.Stdout)-1))
		}
	}
}

// countLine is the countdown, some time after the daemon told of r.
func countLine(r *wire.Resource, passed instant.Millis, width int) string {
	left := r.Remaining
	if r.Status == "running" {
		left = max(0, left-passed)
	}
	var bought instant.Millis
	for _, l := range r.Lots {
		if l.Left > 0 {
			bought += l.Time
		}
	}
	line := fmt.Sprintf("%s  %-9s %10s  ", r.ID, r.Status, clock(left))
	if n := min(40, width-len(line)); n > 2 {
		line += bar(left, max(bought, 1), n)
	}
	return line
}

// clock writes what is left with a fixed width, so that the line does not jump.
func clock(d instant.Millis) string {
	s := d / instant.Second
	text := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86400; days > 0 {
		text = fmt.Sprintf("%dd ", days) + text
	}
	return text
}

// bar draws part of whole in n columns, each cut in eighths.
func bar(part, whole instant.Millis, n int) string {
	const eighths = " ▏▎▍▌▋▊▉"
	fill := int(min(part, whole) / max(1, whole/instant.Millis(8*n)))
	fill = min(fill, 8*n)
	text := strings.Repeat("█", fill/8)
	if fill%8 > 0 {
		text += string([]rune(eighths)[fill%8])
	}
	return text + strings.Repeat("·", n-(fill+7)/8)
}

// printNews tells what changed between two views of a resource, a line for each.
func (c commands) printNews(before, r *wire.Resource) { c.printLines(r, news(before, r)) }

func (c commands) printLines(r *wire.Resource, lines []string) {
	for _, what := range lines {
		fmt.Fprintf(c.Stdout, "%s%s  %s\n", c.ClearLine(), r.At.Std().Format("15:04:05"), show.Escape(what))
	}
}

func news(before, r *wire.Resource) (lines []string) {
	status := fmt.Sprintf("%s, %s left", r.Status, show.Left(r.Remaining))
	if r.PaidUntil != 0 {
		status += ", until " + show.Instant(r.PaidUntil)
	}
	if before == nil {
		return append([]string{r.ID + " is " + status}, depositNews(nil, r)...)
	}
	for _, l := range r.Lots {
		if !has(before.Lots, &l) {
			lines = append(lines, gain(&l))
		}
	}
	if r.Debt > before.Debt {
		lines = append(lines, "a payment was taken back: "+show.Amount(r.Debt)+" are owed")
	}
	if r.Host != before.Host {
		lines = append(lines, "it belongs to host "+r.Host+" now")
	}
	if r.Warned && !before.Warned {
		lines = append(lines, "warning: little is left")
	}
	if r.Status != before.Status || len(lines) > 0 {
		lines = append(lines, status)
	}
	return append(lines, depositNews(before, r)...)
}

// depositNews tells what changed of the payments on the chain that are yet to count.
func depositNews(before, r *wire.Resource) (lines []string) {
	if before == nil {
		before = &wire.Resource{}
	}
	for i := range r.Pending {
		p := &r.Pending[i]
		was := find(before.Pending, p.Key)
		if onItsWay(p) && (was == nil || was.Status != p.Status || depth(was) != depth(p)) {
			lines = append(lines, "deposit "+p.Status+": "+depositText(p))
		}
	}
	for i := range before.Pending {
		was := &before.Pending[i]
		if onItsWay(was) && find(r.Pending, was.Key) == nil && !has(r.Lots, &wire.Lot{Payment: was.Key}) {
			lines = append(lines, fmt.Sprintf("a deposit of %s BTC will not come: sandglass payment show %s --resource %s",
				was.Amount.Bitcoin(), was.Key, r.ID))
		}
	}
	if r.HeldUntil != before.HeldUntil && r.HeldUntil != 0 {
		lines = append(lines, "held until "+held(r))
	}
	return lines
}

func find(payments []wire.Payment, key string) *wire.Payment {
	i := slices.IndexFunc(payments, func(p wire.Payment) bool { return p.Key == key })
	if i < 0 {
		return nil
	}
	return &payments[i]
}

func has(lots []wire.Lot, l *wire.Lot) bool {
	for i := range lots {
		if lots[i].Payment == l.Payment && lots[i].Grant == l.Grant {
			return true
		}
	}
	return false
}

func gain(l *wire.Lot) string {
	if l.Grant != "" {
		return "granted " + l.Time.InUnits()
	}
	return "paid " + show.Amount(l.Amount) + ", which bought " + l.Time.InUnits()
}
