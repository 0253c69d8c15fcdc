package store

import (
	"bytes"
	"strings"
	"testing"

	"sandglass/cmd/sandglass/cli"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/rollback"
)

// Whatever a log holds, a shell takes the script for what it says: what is not a command of
// ours is a comment.
func TestTheScriptRunsNothingElse(t *testing.T) {
	const evil = "x\n$(reboot) `reboot`; reboot # ' \\ \x1b[1m"
	l := lost{Newer: evil, Error: evil, Count: 1, Events: 5, Forked: true, Payments: 3}
	for _, e := range []rollback.Loss{
		{Stream: "resource-" + evil, Type: evil},
		{Stream: "resource-" + evil, Type: evil, Event: &resource.Opened{Plan: evil}},
		{Stream: "resource-" + evil, Type: evil, Event: &resource.Granted{Key: evil, Reason: evil, Time: instant.Hour}},
		{Stream: "plan-" + evil, Type: evil, Event: &plan.Published{Offer: plan.Offer{Title: evil, Enforcer: evil, Hosts: evil}}},
	} {
		l.Losses = append(l.Losses, again(&e))
	}
	var out bytes.Buffer
	if err := l.print(&cli.Env{Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		unquoted := ""
		for i, part := range strings.Split(strings.ReplaceAll(line, `'\''`, ""), "'") {
			if i%2 == 0 {
				unquoted += part
			}
		}
		if !strings.HasPrefix(line, "# ") && (!strings.HasPrefix(line, "sandglass ") || strings.Contains(unquoted, "reboot")) {
			t.Errorf("a line is %q", line)
		}
	}
}

func TestAPlanIsPublishedAgainAsItWas(t *testing.T) {
	o := plan.Offer{
		Terms: resource.Terms{
			Price: money.Price{Msat: 3_600_000, Per: instant.Hour}, Grace: 36 * instant.Hour, Warn: resource.Warn{Amount: 7},
		},
		Min: instant.Minute, Max: 30 * instant.Day, Hosts: "rack-1,rack-2", Large: plan.ConfirmationRule{Confirmations: 6},
	}
	const want = "sandglass plan publish small --price 3600000 --per 1h --min 1m --max 30d --grace 1d12h --warn-msat 7 " +
		"--deep 0:6 --hosts rack-1,rack-2"
	if got := publish("small", &o); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	o = plan.Offer{Min: instant.Minute, Max: instant.Day, Enforcer: "vm", Terms: resource.Terms{
		Price: o.Terms.Price, Uptime: true, StartWithin: instant.Minute, MaxPause: instant.Day,
	}}
	const byUptime = "sandglass plan publish app --price 3600000 --per 1h --min 1m --max 1d --grace 0s --bill uptime " +
		"--start-within 1m --max-outage 30d --max-pause 1d --enforcer vm"
	if got := publish("app", &o); got != byUptime {
		t.Errorf("got  %s\nwant %s", got, byUptime)
	}
	o.Terms = resource.Terms{Price: o.Terms.Price}
	const wall = "sandglass plan publish app --price 3600000 --per 1h --min 1m --max 1d --grace 0s --bill wall --enforcer vm"
	if got := publish("app", &o); got != wall {
		t.Errorf("got  %s\nwant %s", got, wall)
	}
}
