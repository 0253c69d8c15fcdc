package daemon_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/stream"
	"sandglass/testutil/daemon"
	"sandglass/testutil/fakelnd"
)

// TestALogIsSignedRestoredAndForked: what is signed outlasts kills, a restored backup is told, takes money
// on all the same and is signed by nobody until its operator forks it, and then goes on.
func TestALogIsSignedRestoredAndForked(t *testing.T) {
	s := newSigned(t)
	d := s.Daemon
	vkey := strings.TrimSpace(s.command("log", "key"))
	plans := 0
	publish := func() {
		t.Helper()
		plans++
		s.command("plan", "publish", fmt.Sprintf("small-%d", plans), "--price", "3600sat", "--per", "1h", "--min", "1m", "--max", "30d",
			"--warn", "10m", "--grace", "1d")
	}
	d.Start()
	d.WaitReady(t.Context())
	publish()
	first := s.until("all is signed", whole)
	if c, err := checkpoint.Open([]byte(s.get("/log/0/checkpoint")), vkey); err != nil || c.Size < first.Signed {
		t.Fatalf("%+v, %v", c, err)
	}
	s.get("/log/0/tile/entries/000.p/1") // which anybody may
	backup := filepath.Join(t.TempDir(), "backup.db")
	s.command("store", "backup", backup)
	publish()
	d.Kill()
	d.Start()
	d.WaitReady(t.Context())
	last := s.until("all is signed again", func(l *wire.Log) bool { return whole(l) && l.Signed > first.Signed })
	d.Kill()
	s.command("store", "restore", backup)
	d.Start()
	d.WaitReady(t.Context()) // which it is: money is taken
	if l := s.until("an alarm", func(l *wire.Log) bool { return l.Alarm != "" }); l.Alarm != "short" && l.Alarm != "rewritten" {
		t.Errorf("the alarm is %s: %s", l.Alarm, l.Detail)
	}
	publish()
	if out, err := d.Command(t.Context(), "log", "status"); err == nil || !strings.Contains(out, "nothing is signed now") {
		t.Errorf("log status says %s, %v", out, err)
	}
	s.command("log", "fork", "--reason", "the backup was restored")
	now := s.until("it goes on", func(l *wire.Log) bool { return whole(l) && len(l.Forks) == 2 })
	one := now.Forks[1]
	if one.Fork != 1 || one.Left != s.get("/log/0/checkpoint") || one.Left == "" || one.Reason != "the backup was restored" {
		t.Errorf("%+v", one)
	}
	if left, err := checkpoint.Open([]byte(now.Forks[1].Left), vkey); err != nil || left.Size < last.Signed {
		t.Errorf("left behind is %+v, %v", left, err)
	}
	if _, err := checkpoint.Open([]byte(s.get("/log/1/checkpoint")), now.Forks[1].VKey); err != nil {
		t.Error(err)
	}
	d.Kill()
	if err := os.Rename(filepath.Join(d.Dir, "log.key"), filepath.Join(d.Dir, "mislaid")); err != nil {
		t.Fatal(err)
	}
	d.Start()
	d.WaitReady(t.Context())
	s.until("the key is missed", func(l *wire.Log) bool { return l.Alarm == "no_key" })
	s.command("audit", "replay")
}

// TestWithoutProofsMoneyIsTaken: a key that can't be read is told, and holds up nothing else.
func TestWithoutProofsMoneyIsTaken(t *testing.T) {
	s := newSigned(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Start()
	s.until("it is signed", func(l *wire.Log) bool { return l.Signed > 0 })
	tells := func(what string) {
		t.Helper()
		s.Start()
		s.WaitReady(t.Context())
		s.Until(t.Context(), "it tells of "+what, func() error {
			if text := s.get("/readyz"); !strings.Contains(text, what) {
				return errors.New(text)
			}
			return nil
		})
		s.Kill()
	}
	s.Kill()
	key := filepath.Join(s.Dir, "log.key")
	good, err := os.ReadFile(key)
	must(err)
	must(os.WriteFile(key, good[:20], 0o600))
	tells("malformed")
}

// TestALogOfBeforeIsForAuditors starts on a log that a build wrote whose events have no salt.
func TestALogOfBeforeIsForAuditors(t *testing.T) {
	const noon instant.Time = 1_767_355_200_000
	s := newSigned(t)
	store, err := sqlite.Open(filepath.Join(s.Dir, "sandglass.db"), sqlite.Options{Now: func() instant.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	e := stream.Event{Type: "plan.withdrawn.v1", At: noon, Data: []byte("{}"), Meta: []byte(`{"actor":"operator"}`)}
	e.ID = stream.NewID("plan-small", 0, e)
	if _, err := store.Append(t.Context(), "plan-small", stream.NoStream, []stream.Event{e}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	s.Start()
	s.until("it is signed", whole)
	for token, want := range map[string]int{"": 401, "wrong": 401, daemon.Token: 200} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/log/0/tile/0/000.p/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != want {
			t.Errorf("by %q: %s", token, res.Status)
		}
	}
}

// TestTheFolderOfTheLogIsNone: a log/ that can't be opened is told, and ends nothing; once it can be, the log is signed
// again without a restart.
func TestTheFolderOfTheLogIsNone(t *testing.T) {
	s := newSigned(t)
	s.Start()
	s.until("it is signed", whole)
	s.Kill()
	dir := filepath.Join(s.Dir, "log")
	if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.Start()
	s.WaitReady(t.Context()) // which it is: money is taken
	s.Until(t.Context(), "it is told", func() error {
		if text := s.get("/readyz"); !strings.Contains(text, "not a directory") {
			return errors.New(text)
		}
		return nil
	})
	s.command("plan", "publish", "small", "--price", "3600sat", "--per", "1h", "--min", "1m", "--max", "30d", "--warn", "10m",
		"--grace", "1d")
	if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)); err != nil {
		t.Fatal(err)
	}
	s.until("it is signed again", whole)
}

// signed is a daemon whose log is signed.
type signed struct {
	*daemon.Daemon
	t *testing.T
}

// newSigned makes one on a fake lnd, which does not run yet.
func newSigned(t *testing.T) *signed {
	t.Helper()
	lnd, err := fakelnd.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lnd.Kill)
	lnd.Mine(100)
	d := daemon.New(t, "SANDGLASS_STORE=sqlite:sandglass.db", "SANDGLASS_LOG_ORIGIN=shop.example.org/log",
		"SANDGLASS_LND_ADDR="+lnd.Addr, "SANDGLASS_LND_TLS_CERT="+lnd.TLSCert,
		"SANDGLASS_LND_WATCH_MACAROON="+lnd.WatchMacaroon, "SANDGLASS_LND_ISSUE_MACAROON="+lnd.IssueMacaroon)
	return &signed{d, t}
}

// whole reports whether all of a log is signed.
func whole(l *wire.Log) bool { return l.Alarm == "" && l.Signed > 0 && l.Signed == l.Events }

func (s *signed) until(what string, so func(*wire.Log) bool) (l wire.Log) {
	s.t.Helper()
	s.Until(s.t.Context(), what, func() (err error) {
		if l, err = s.Client().Log(s.t.Context()); err == nil && !so(&l) {
			err = fmt.Errorf("it is %+v", l)
		}
		return err
	})
	return l
}

func (s *signed) command(args ...string) string {
	s.t.Helper()
	out, err := s.Command(s.t.Context(), args...)
	if err != nil {
		s.t.Fatalf("%q: %v\n%s\n%s", args, err, out, s.Log())
	}
	return out
}

func (s *signed) get(path string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.HasPrefix(path, "/log/") { // which anybody may read
		req.Header.Set("Authorization", "Bearer "+daemon.Token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %s, %v", path, res.Status, b, err)
	}
	return string(b)
}
