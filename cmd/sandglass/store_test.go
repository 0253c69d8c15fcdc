package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/domain/logcopy"
	"sandglass/domain/stream"
)

func TestThePasswordComesFromItsFile(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const secret = "se/s@me: öffne+%41?#&"
	p := storePlace{url: "esdb://ops@host:2113?tls=false", passwordFile: file(secret + "\n")}
	conn, err := p.connection()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(conn)
	if err != nil {
		t.Fatal(err)
	}
	if password, _ := u.User.Password(); password != secret || u.User.Username() != "ops" || u.Host != "host:2113" || u.RawQuery != "tls=false" {
		t.Errorf("the connection string is %s, with the password %q", conn, password)
	}
	for name, p := range map[string]storePlace{
		"no user":   {url: "esdb://host", passwordFile: file("x")},
		"two":       {url: "esdb://ops:sesame@host", passwordFile: file("x")},
		"empty":     {url: "esdb://ops@host", passwordFile: file("\n")},
		"long":      {url: "esdb://ops@host", passwordFile: file(strings.Repeat("x", maxTokenFile+1))},
		"not there": {url: "esdb://ops@host", passwordFile: filepath.Join(t.TempDir(), "none")},
	} {
		p.passwordFrom = "THE_FILE"
		if _, err := p.connection(); err == nil || !strings.HasPrefix(err.Error(), "THE_FILE") || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a copy says when it ends early is how to go on, but where that would not help.
func TestABrokenOffCopySaysHowToGoOn(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	const again = "the same command goes on from there"
	if err := brokenOff(ended, ended.Err()); errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "interrupted: ") || !strings.HasSuffix(err.Error(), again) {
		t.Errorf("interrupted: %v", err)
	}
	if err := brokenOff(t.Context(), stream.ErrUnavailable); !errors.Is(err, stream.ErrUnavailable) || !strings.HasSuffix(err.Error(), again) {
		t.Errorf("away: %v", err)
	}
	if err := brokenOff(t.Context(), logcopy.ErrDiffer); err.Error() != logcopy.ErrDiffer.Error() {
		t.Errorf("a difference: %v", err)
	}
}
