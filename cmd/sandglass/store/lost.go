package store

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/address"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/proof/fork"
	"sandglass/domain/resource"
	"sandglass/domain/resource/uptime"
	"sandglass/domain/rollback"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
)

// lost is what a newer log has, and an older one has not, as JSON.
type lost struct {
	Newer    string          `json:"newer"`
	Position stream.Position `json:"position"` // of the newer log, up to where both are the same
	Events   int64           `json:"events"`   // that it has after that
	Payments int64           `json:"payments"` // of them, money that arrived: the wallet has it
	Forked   bool            `json:"forked"`   // the older one goes on too, with other events
	Count    int64           `json:"count"`    // of events that don't come back
	Losses   []loss          `json:"losses"`   // the first of them
	Error    string          `json:"error,omitempty"`
}

// loss is an event that does not come back.
type loss struct {
	Position stream.Position `json:"position"`
	At       instant.Time    `json:"at"`
	Stream   string          `json:"stream"`
	Type     string          `json:"type"`
	Command  string          `json:"command,omitempty"` // that does it again
	Note     string          `json:"note,omitempty"`    // what else there is to do
}

// lostSince reads both logs. That the newer one can't be read, or not to its end, is told.
func lostSince(ctx context.Context, older, newer storeurl.Place) *lost {
	l := &lost{Newer: newer.String(), Losses: []loss{}}
	report, err := compare(ctx, older, newer)
	if err != nil {
		l.Error = cli.Message(err)
	}
	l.Position, l.Events, l.Payments = report.Common, report.Events, report.Payments
	l.Forked, l.Count = report.Forked, report.Lost
	past := overtaken(report.Losses)
	for i := range report.Losses {
		one := again(&report.Losses[i])
		if why := past[i]; why != "" {
			one.Command, one.Note = "", why
		}
		l.Losses = append(l.Losses, one)
	}
	return l
}

// overtaken returns why what was lost is not to be done again, by its index: a command that comes
// later says otherwise. So the commands come to the same end as often as they are run.
func overtaken(losses []rollback.Loss) map[int]string {
	const later, ended = "what comes later says otherwise", "it was released later"
	past, set, opened := map[int]string{}, map[string]bool{}, map[string]bool{}
	for i := range losses {
		if _, ok := losses[i].Event.(*resource.Opened); ok {
			opened[losses[i].Stream] = true
		}
	}
	for i := len(losses) - 1; i >= 0; i-- {
		l := &losses[i]
		what, is := "", l.Stream+" released"
		switch l.Event.(type) {
		case *plan.Published:
			what = "offer"
		case *plan.Withdrawn:
			if set[l.Stream+" offer"] {
				past[i] = later
			}
			continue
		case *resource.Paused, *resource.Started, *resource.Starting:
			what = "pause"
		case *resource.Repriced:
			what = "price"
		case *resource.Placed:
			what = "host"
		case *resource.Opened, *resource.Granted:
		case *resource.Released:
			set[is] = true
			if opened[l.Stream] {
				past[i] = "it was opened since the backup too"
			}
			continue
		default:
			continue
		}
		key := l.Stream + " " + what
		switch {
		case set[is]:
			past[i] = ended
		case what != "" && set[key]:
			past[i] = later
		}
		set[key] = true
	}
	return past
}

func compare(ctx context.Context, older, newer storeurl.Place) (r rollback.Report, err error) {
	a, err := older.OpenReadOnly(ctx)
	if err != nil {
		return r, err
	}
	defer a.Close()
	b, err := newer.OpenReadOnly(ctx)
	if err != nil {
		return r, err
	}
	defer b.Close()
	aHead, err := a.Head(ctx)
	if err != nil {
		return r, err
	}
	bHead, err := b.Head(ctx)
	if err != nil {
		return r, err
	}
	return rollback.Compare(stream.Between(ctx, a, 0, aHead), stream.Between(ctx, b, 0, bHead))
}

// again says how what was lost is done again.
func again(l *rollback.Loss) loss {
	_, id, _ := strings.Cut(l.Stream, "-")
	out := loss{Position: l.Position, At: l.At, Stream: l.Stream, Type: l.Type}
	switch e := l.Event.(type) {
	case *plan.Published:
		out.Command = publish(id, &e.Offer)
	case *plan.Withdrawn:
		out.Command = command("plan", "withdraw", id)
	case *resource.Opened:
		out.Note = "its buyer orders again: with the same id, it is " + command("order", e.Plan, "--id", id)
	case *resource.Granted:
		out.Command = command("resource", "grant", id, "--time", e.Time.InUnits(), "--key", e.Key, "--reason", e.Reason)
	case *resource.Paused:
		out.Command = command("resource", "pause", id)
	case *resource.Started, *resource.Starting:
		out.Command = command("resource", "resume", id)
	case *resource.Repriced:
		out.Command = command("resource", "reprice", id, "--price", msat(e.Price.Msat), "--per", e.Price.Per.InUnits())
	case *resource.Placed:
		out.Command = command("resource", "move", id, "--to", e.Host)
	case *resource.Released:
		out.Command = command("resource", "release", id)
	case *address.Issued:
		out.Command = command("address", "adopt", id, "--to", string(e.Resource), "--lost")
	case *wallet.Retired:
		out.Command = command("wallet", "retire", id)
	case *payment.Allocated:
		out.Command = command("unallocated", "allocate", id, "--to", string(e.Resource))
	case *fork.Forked:
		out.Note = "a log that was restored is forked anew: the daemon asks for it, see sandglass log status"
	default:
		out.Note = "this build does not know it: see what it is in the newer log, with the build that wrote it"
	}
	return out
}

// publish is the command that publishes an offer.
func publish(name string, o *plan.Offer) string {
	args := []string{"plan", "publish", name, "--price", msat(o.Terms.Price.Msat), "--per", o.Terms.Price.Per.InUnits(),
		"--min", o.Min.InUnits(), "--max", o.Max.InUnits(), "--grace", o.Terms.Grace.InUnits()}
	switch w := o.Terms.Warn; {
	case w.Time > 0:
		args = append(args, "--warn", w.Time.InUnits())
	case w.Amount > 0:
		args = append(args, "--warn-msat", msat(w.Amount))
	case w.Share > 0:
		args = append(args, "--warn-share", money.Percent(w.Share))
	}
	if o.Large.Confirmations > 0 {
		args = append(args, "--deep", fmt.Sprintf("%s:%d", msat(o.Large.Above), o.Large.Confirmations))
	}
	if o.Terms.Uptime { // a bound of 30 days is none
		args = append(args, "--bill", "uptime", "--start-within", o.Terms.StartWithin.InUnits(),
			"--max-outage", cmp.Or(o.Terms.MaxOutage, uptime.Period).InUnits())
		if o.Terms.Hold {
			args = append(args, "--hold")
		}
	} else if o.Enforcer != "" {
		args = append(args, "--bill", "wall")
	}
	if o.Terms.MaxPause > 0 {
		args = append(args, "--max-pause", o.Terms.MaxPause.InUnits())
	}
	args = append(args, "--title", o.Title, "--enforcer", o.Enforcer, "--hosts", string(o.Hosts))
	return command(args...)
}

func msat(m money.Msat) string { return fmt.Sprint(int64(m)) }

// command returns a command of ours as a shell takes it, without the flags that have no value.
func command(args ...string) string {
	line := "sandglass"
	for i := 0; i < len(args); i++ {
		if strings.HasPrefix(args[i], "--") && i+1 < len(args) && args[i+1] == "" {
			i++
			continue
		}
		line += " " + quote(args[i])
	}
	return line
}

// quote quotes a word for a shell, if it has to be.
func quote(s string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.,:/%", c)
	}
	if s != "" && strings.IndexFunc(s, func(c rune) bool { return !plain(c) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// scriptHead and scriptFoot have the script go on after a command that fails, and tell how many did.
const (
	scriptHead = `failed=0; sandglass() { command sandglass "$@" || failed=$((failed + 1)); }`
	scriptFoot = `[ "$failed" = 0 ] || echo "$failed of %d commands failed, see above: run this again later" >&2
exit $((failed > 100 ? 100 : failed))
`
)

// print prints what is lost as a script, whose comments say what each line is about.
func (l *lost) print(e *cli.Env) error {
	if l == nil {
		return nil
	}
	fmt.Fprintf(e.Stdout, "# What %s has after position %d: %s, of which %s not come back.\n",
		show.Escape(l.Newer), l.Position, show.Count(l.Events, "event"), does(l.Count))
	if l.Payments > 0 {
		fmt.Fprintf(e.Stdout, "# Of money that arrived it tells %s: a daemon finds it in the wallet again.\n", times(l.Payments))
	}
	if l.Forked {
		fmt.Fprintln(e.Stdout, "# It is not the backup's own log: from there on the backup has other events.")
	}
	commands := 0
	for _, one := range l.Losses {
		fmt.Fprintf(e.Stdout, "# %s, %s: %s", show.Instant(one.At), show.Escape(one.Stream), show.Escape(one.Type))
		if one.Note != "" {
			fmt.Fprint(e.Stdout, ": ", show.Escape(one.Note))
		}
		fmt.Fprintln(e.Stdout)
		if one.Command == "" {
			continue
		}
		if commands++; commands == 1 {
			fmt.Fprintln(e.Stdout, scriptHead)
		}
		fmt.Fprintln(e.Stdout, show.Escape(one.Command))
	}
	if more := l.Count - int64(len(l.Losses)); more > 0 {
		fmt.Fprintf(e.Stdout, "# and %s more, which are not listed\n", show.Group(more))
	}
	if commands > 0 {
		fmt.Fprintf(e.Stdout, scriptFoot, commands)
	}
	if l.Error != "" {
		fmt.Fprintf(e.Stdout, "# What else it has is not known: %s\n", show.Escape(l.Error))
	}
	_, err := fmt.Fprintln(e.Stdout)
	return err
}

func does(n int64) string {
	if n == 1 {
		return "1 does"
	}
	return show.Group(n) + " do"
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return show.Group(n) + " times"
}
