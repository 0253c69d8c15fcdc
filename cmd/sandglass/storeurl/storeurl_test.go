package storeurl

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	p := Place{URL: "esdb://ops@host:2113?tls=false", PasswordFile: file(secret + "\n")}
	conn, err := p.connection()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(conn)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	if password != secret || u.User.Username() != "ops" || u.Host != "host:2113" || u.RawQuery != "tls=false" {
		t.Errorf("the connection string is %s, with the password %q", conn, password)
	}
	for name, p := range map[string]Place{
		"no user":   {URL: "esdb://host", PasswordFile: file("x")},
		"two":       {URL: "esdb://ops:sesame@host", PasswordFile: file("x")},
		"empty":     {URL: "esdb://ops@host", PasswordFile: file("\n")},
		"long":      {URL: "esdb://ops@host", PasswordFile: file(strings.Repeat("x", maxPassword+1))},
		"not there": {URL: "esdb://ops@host", PasswordFile: filepath.Join(t.TempDir(), "none")},
	} {
		p.PasswordFrom = "THE_FILE"
		_, err := p.connection()
		if err == nil || !strings.HasPrefix(err.Error(), "THE_FILE") || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
