package store

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/cmd/sandglass/cli"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
	"sandglass/domain/rollback"
	"sandglass/domain/stream"
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
		if strings.HasPrefix(line, "failed=0; ") || strings.HasPrefix(line, `[ "$failed" = 0 ]`) || strings.HasPrefix(line, "exit ") {
			continue // which say nothing of the log
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

// The script goes on after a command that fails, and says how many did.
func TestTheScriptCountsWhatFails(t *testing.T) {
	l := lost{Count: 5, Losses: []loss{
		{Command: "sandglass resource grant a"}, {Command: "sandglass resource grant b"}, {Note: "nothing"},
		{Command: "sandglass plan withdraw 'it'\\''s'"}, {Command: "sandglass resource grant c"},
	}}
	var script bytes.Buffer
	if err := l.print(&cli.Env{Stdout: &script}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	stub := "#!/bin/sh\necho \"$*\" >> \"$(dirname \"$0\")/ran\"\ncase $3 in $FAILS) exit 1;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "sandglass"), []byte(stub), 0o700); err != nil {
		t.Fatal(err)
	}
	for fails, want := range map[string]int{"[ac]": 2, "none": 0, "*": 4} {
		cmd := exec.CommandContext(t.Context(), "sh", "-e")
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "FAILS=" + fails}
		cmd.Stdin = bytes.NewReader(script.Bytes())
		out, err := cmd.CombinedOutput()
		told := strings.Contains(string(out), fmt.Sprintf("%d of 4 commands", want))
		if got := cmd.ProcessState.ExitCode(); got != want || told != (want > 0) {
			t.Errorf("%s fail: exit status %d, want %d; %v, %s", fails, got, want, err, out)
		}
		ran, err := os.ReadFile(filepath.Join(dir, "ran"))
		if err != nil || string(ran) != "resource grant a\nresource grant b\nplan withdraw it's\nresource grant c\n" {
			t.Errorf("%s fail: it ran %q, %v", fails, ran, err)
		}
		if err := os.Remove(filepath.Join(dir, "ran")); err != nil {
			t.Fatal(err)
		}
	}
}

// What a later command undoes is not done: run again, the script would do it anew each time.
func TestWhatWasUndoneIsNotDoneAgain(t *testing.T) {
	var losses []rollback.Loss
	add := func(name string, e stream.Fact) { losses = append(losses, rollback.Loss{Stream: name, Event: e}) }
	want := map[int]bool{} // those that are done
	done := func(name string, e stream.Fact) { want[len(losses)] = true; add(name, e) }
	add("resource-a", &resource.Paused{})
	add("resource-a", &resource.Started{Reason: resource.ReasonResumed})
	done("resource-b", &resource.Paused{})
	add("resource-a", &resource.Placed{Host: "x"})
	add("resource-a", &resource.Repriced{})
	done("resource-a", &resource.Granted{Key: "g"})
	done("resource-a", &resource.Placed{Host: "y"})
	done("resource-a", &resource.Repriced{})
	done("resource-a", &resource.Paused{})
	add("plan-p", &plan.Published{})
	add("plan-p", &plan.Withdrawn{})
	done("plan-p", &plan.Published{})
	done("plan-p", &plan.Withdrawn{})
	add("resource-c", &resource.Granted{Key: "g"})
	done("resource-c", &resource.Released{})
	add("resource-d", &resource.Opened{})
	add("resource-d", &resource.Paused{})
	add("resource-d", &resource.Released{})
	done("resource-e", &resource.Opened{})
	done("ln-1", &payment.Allocated{})
	past := overtaken(losses)
	for i, l := range losses {
		if (past[i] == "") != want[i] {
			t.Errorf("%d, %s %s: %q", i, l.Stream, l.Event.Type(), past[i])
		}
	}
}
