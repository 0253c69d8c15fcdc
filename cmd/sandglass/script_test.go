package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/lightning"
	"sandglass/testutil/devnet/process"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/fakelnd"

	"github.com/rogpeppe/go-internal/testscript"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestMain lets the test binary be the sandglass of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sandglass": main})
}

// TestScripts runs the commands as users do, against a real daemon on a fake lnd.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setUp,
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready":    ready,
			"fetch":    fetch,
			"gets":     gets,
			"sees":     sees,
			"pays":     pays,
			"keysends": keysends,
			"let":      let,
			"exits":    exits,
			"replace":  replace,
			"cluster":  cluster,
			"grant":    grant,
			"damage":   damage,
		},
	})
}

type lndKey struct{}

// setUp gives a script a wallet, and the settings of a daemon on it.
func setUp(e *testscript.Env) error {
	dir := filepath.Join(e.WorkDir, "lnd")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	lnd, err := fakelnd.New(dir)
	if err != nil {
		return err
	}
	e.Defer(lnd.Stop)
	e.Values[lndKey{}] = lnd
	e.Values[clusterKey{}] = new(atomic.Pointer[esdbserver.Cluster])
	var listen string
	ports := new(process.Ports)
	e.Defer(ports.Release)
	if err := ports.Take(&listen); err != nil {
		return err
	}
	token := filepath.Join(e.WorkDir, "operator.token")
	for name, value := range map[string]string{
		"LND_ADDR":            lnd.Addr,
		"LND_TLS_CERT":        lnd.TLSCert,
		"LND_WATCH_MACAROON":  lnd.WatchMacaroon,
		"LND_ISSUE_MACAROON":  lnd.IssueMacaroon,
		"STATE_DIR":           filepath.Join(e.WorkDir, "state"),
		"LISTEN":              listen,
		"URL":                 "http://" + listen,
		"LOG_LEVEL":           "warn",
		"OPERATOR_TOKEN_FILE": token,
		"FREE_SPACE_FLOOR":    "0",
	} {
		e.Setenv(config.Prefix+"_"+name, value)
	}
	return os.WriteFile(token, []byte("a-token-of-the-operator\n"), 0o600)
}

type clusterKey struct{}

// cluster starts a cluster with TLS, and has the settings name it, with the user sandglass who
// has no rights yet: cluster PASSWORD_FILE.
func cluster(ts *testscript.TestScript, _ bool, args []string) {
	const password = "open, sesame"
	c, err := esdbserver.Start(esdbserver.Options{Nodes: 3, TLS: true, Users: map[string]string{"sandglass": password}})
	ts.Check(err)
	ts.Defer(c.Close)
	ts.Value(clusterKey{}).(*atomic.Pointer[esdbserver.Cluster]).Store(c)
	file := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(file, []byte(password), 0o600))
	ts.Setenv(config.Prefix+"_STORE", strings.Replace(c.ConnectionStringAs(""), "esdb://", "esdb://sandglass@", 1))
	ts.Setenv(config.Prefix+"_STORE_PASSWORD_FILE", file)
	ts.Setenv(config.Prefix+"_HOST", "rack-1")
}

// grant gives users of the cluster all rights that the daemon needs: grant USER...
func grant(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(clusterKey{}).(*atomic.Pointer[esdbserver.Cluster]).Load().Grant(args...)
}

// ready waits until the daemon is.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	until(ts, "the daemon is ready", func() bool {
		res, err := http.Get(ts.Getenv(cli.EnvURL) + "/readyz")
		if err != nil {
			return false
		}
		ts.Check(res.Body.Close())
		return res.StatusCode == http.StatusOK
	})
}

// fetch keeps what the daemon answers to a GET of the operator: fetch FILE PATH.
func fetch(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, ts.Getenv(cli.EnvURL)+args[1], http.NoBody)
	ts.Check(err)
	if file := ts.Getenv("SANDGLASS_OPERATOR_TOKEN_FILE"); file != "" {
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(file)))
	}
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	body, err := io.ReadAll(res.Body)
	ts.Check(errors.Join(err, res.Body.Close(), os.WriteFile(ts.MkAbs(args[0]), body, 0o600)))
}

// gets waits until the daemon answers anybody with 200, and keeps that: gets FILE PATH.
func gets(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[1]+" is there", func() bool {
		res, err := http.Get(ts.Getenv(cli.EnvURL) + args[1])
		ts.Check(err)
		body, err := io.ReadAll(res.Body)
		ts.Check(errors.Join(err, res.Body.Close(), os.WriteFile(ts.MkAbs(args[0]), body, 0o600)))
		return res.StatusCode == http.StatusOK
	})
}

// sees waits until a file, which something writes, holds a text: sees FILE TEXT.
func sees(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[0]+" holds "+args[1], func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && strings.Contains(string(text), args[1])
	})
}

func until(ts *testscript.TestScript, what string, ok func() bool) {
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			ts.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// pays has somebody pay the invoice of a payment's key: pays KEY MSAT.
func pays(ts *testscript.TestScript, _ bool, args []string) {
	msat, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(ts.Value(lndKey{}).(*fakelnd.Lnd).Pay(strings.TrimPrefix(args[0], "ln-"), msat))
}

// keysends has somebody pay a resource by its name: keysends ID MSAT.
func keysends(ts *testscript.TestScript, _ bool, args []string) {
	msat, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	records := map[uint64][]byte{lightning.ResourceRecord: []byte(args[0])}
	ts.Value(lndKey{}).(*fakelnd.Lnd).Keysend([32]byte{1}, msat, records)
}

// let sets a variable from a JSON file: let NAME FILE field.field.
func let(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &v))
	for _, name := range strings.Split(args[2], ".") {
		if i, err := strconv.Atoi(name); err == nil {
			v = v.([]any)[i]
		} else {
			v = v.(map[string]any)[name]
		}
	}
	ts.Setenv(args[0], v.(string))
}

// exits runs a command that must end with a status: exits STATUS COMMAND ARGS.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](ts.Exec(args[1], args[2:]...)); ok {
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%q ended with status %d, not %d", args[1:], got, want)
	}
}

// replace changes a text in a file, which must hold it: replace FILE OLD NEW.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}

// damage changes a log behind its back: damage FILE SQL.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	conn, err := sqlite.OpenConn(ts.MkAbs(args[0]), sqlite.OpenReadWrite)
	ts.Check(err)
	ts.Check(errors.Join(sqlitex.ExecuteScript(conn, args[1], nil), conn.Close()))
}
