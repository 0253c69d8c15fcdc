package systemd_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"sandglass/adapters/systemd"
	"sandglass/domain/enforce"
)

func TestPatterns(t *testing.T) {
	for pattern, ok := range map[string]bool{
		"app@.service": true, "vm-*@.service": true, "[a-z]*@.service": true,
		"": false, "*": false, "app.service": false, "app@1.service": false, "[@.service": false, "app@.socket": false,
	} {
		if _, err := systemd.New(systemd.Options{Allowed: []string{pattern}}); ok != (err == nil) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

// TestRefused holds what is refused before anybody is asked.
func TestRefused(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus") // nobody is there
	none, err := systemd.New(systemd.Options{Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	some, err := systemd.New(systemd.Options{Socket: socket, Allowed: []string{"app@.service", "*@.service"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name         string
		e            *systemd.Enforcer
		template, id string
		refused      bool
	}{
		{"nothing is allowed by default", none, "app@.service", "a", true},
		{"what is allowed gets as far as the bus", some, "app@.service", "a", false},
		{"no template", some, "", "a", true},
		{"a unit that is none", some, "dbus.service", "a", true},
		{"an instance", some, "app@b.service", "a", true},
		{"two instances", some, "app@b@.service", "a", true},
		{"a template without a name", some, "@.service", "a", true},
		{"another kind of unit", some, "app@.socket", "a", true},
		{"a folder above", some, "../app@.service", "a", true},
		{"no resource", some, "app@.service", "A b", true},
		{"a name that is too long when it is escaped", some, "app@.service", "a" + strings.Repeat("-", 62) + "a", true},
	} {
		w := &enforce.Want{ID: test.id, Unit: test.template}
		_, looked := test.e.Status(t.Context(), w)
		done := test.e.Do(t.Context(), enforce.Stop, w)
		for _, err := range []error{looked, done} {
			if err == nil || errors.Is(err, enforce.ErrRefused) != test.refused {
				t.Errorf("%s: %v", test.name, err)
			}
		}
	}
}

// TestMuteBus connects to a bus that says nothing: it can't hold anybody up.
func TestMuteBus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := systemd.New(systemd.Options{Socket: socket, Allowed: []string{"app@.service"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if s, err := e.Status(ctx, &enforce.Want{ID: "a", Unit: "app@.service"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", s, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestEnvironmentFile(t *testing.T) {
	got, err := systemd.EnvironmentFile([]string{"A=", "B=a b", "C=\"$x\" `y` \\ 'z' #;=ü"})
	want := "A=\"\"\nB=\"a b\"\nC=\"\\\"\\$x\\\" \\`y\\` \\\\ 'z' #;=ü\"\n"
	if err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	got, err = systemd.EnvironmentFile([]string{"A=a\nB=c\\\n", "B="})
	if err != nil || string(got) != "A=\"a\nB=c\\\\\n\"\nB=\"\"\n" {
		t.Errorf("lines: %s, %v", got, err)
	}
	for _, value := range []string{"\x00", "a\tb", "\r", "\x7f", "\xff", "\x1b[2J"} {
		if got, err := systemd.EnvironmentFile([]string{"A=" + value}); !errors.Is(err, enforce.ErrRefused) {
			t.Errorf("%q: %q, %v", value, got, err)
		}
	}
}

func TestUnitOf(t *testing.T) {
	for path, want := range map[string]string{
		"/org/freedesktop/systemd1/unit/app_40vm_5cx2d7_2eservice": `app@vm\x2d7.service`,
		"/org/freedesktop/systemd1/unit/_2d_2eslice":               "-.slice",
		"/org/freedesktop/systemd1/unit/a_zz":                      "?",
		"/org/freedesktop/systemd1/job/1":                          "?",
	} {
		name, ok := systemd.UnitOf(dbus.ObjectPath(path))
		if !ok {
			name = "?"
		}
		if name != want {
			t.Errorf("%s is %q, want %q", path, name, want)
		}
	}
}
