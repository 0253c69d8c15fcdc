package tour

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/testutil/devnet"
)

// daemon is a `sandglass serve` that watches the network's wallet, with its files in the
// network's folder, and the commands that speak to it.
type daemon struct {
	child
	binary, url string
	token       string // the operator's
	store       string // the URL of its event log
	namespace   string // of that in a cluster
	env         []string
}

// Store is where a daemon keeps its log.
type Store struct {
	URL          string // such as esdb://user@host:2113; "" is a file in the network's folder
	PasswordFile string // of the user whom an esdb:// URL names; may be empty
}

// env are the settings of a daemon whose log is there. In a cluster each tour has a log of
// its own, which stays there.
func (s Store) env(namespace string) []string {
	env := []string{"SANDGLASS_STORE=" + s.URL, "SANDGLASS_STORE_NAMESPACE=" + namespace, "SANDGLASS_HOST=demo"}
	if s.PasswordFile != "" {
		env = append(env, "SANDGLASS_STORE_PASSWORD_FILE="+s.PasswordFile)
	}
	return env
}

// beside says where the log is, if it is not in a file.
func (d *daemon) beside() string {
	if d.namespace == "" {
		return ""
	}
	return ", the log is in the namespace " + d.namespace
}

func newDaemon(binary string, n Network, store Store) (*daemon, error) {
	dir := filepath.Join(n.Dir(), "sandglass")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	token, file := rand.Text(), filepath.Join(dir, "operator.token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		return nil, err
	}
	listen, err := listenAddress()
	if err != nil {
		return nil, err
	}
	d := &daemon{
		child:  child{name: "the daemon", log: filepath.Join(dir, "serve.log")},
		binary: binary, url: "http://" + listen, token: token,
	}
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "SANDGLASS_") {
			d.env = append(d.env, setting)
		}
	}
	d.env = append(d.env, n.Env()...)
	d.env = append(d.env,
		"SANDGLASS_STATE_DIR="+dir,
		"SANDGLASS_LISTEN="+listen,
		"SANDGLASS_URL="+d.url,
		"SANDGLASS_OPERATOR_TOKEN_FILE="+file)
	d.store = "sqlite:" + filepath.Join(dir, "sandglass.db")
	if store.URL != "" {
		d.store, d.namespace = store.URL, "demo_"+strings.ToLower(rand.Text())
		d.env = append(d.env, store.env(d.namespace)...)
	}
	return d, nil
}

// listenAddress is the daemon's default address, or another where that is taken.
func listenAddress() (string, error) {
	for _, address := range []string{"127.0.0.1:8420", "127.0.0.1:0"} {
		l, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return l.Addr().String(), l.Close()
	}
	return "", errors.New("no port is free on 127.0.0.1")
}

// command is a child in a process group of its own, so that a Ctrl-C in the terminal
// reaches only us, and ended by the kernel if we are killed.
func (d *daemon) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.binary, args...)
	cmd.Env = append(append([]string(nil), d.env...), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs a command as a user would, and returns what it printed.
func (d *daemon) run(ctx context.Context, env []string, args ...string) ([]byte, error) {
	cmd := d.command(ctx, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := bytes.TrimSpace(append(stdout.Bytes(), stderr.Bytes()...))
		return stdout.Bytes(), fmt.Errorf("sandglass %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return stdout.Bytes(), nil
}

// ask runs a command with --json and reads its answer into out.
func (d *daemon) ask(ctx context.Context, out any, args ...string) error {
	text, err := d.run(ctx, nil, append(args, "--json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("sandglass %s: %w: %.200s", strings.Join(args, " "), err, text)
	}
	return nil
}

// start starts the daemon and waits until it is ready.
func (d *daemon) start(ctx context.Context) error {
	if err := d.begin(d.command(context.Background(), nil, "serve")); err != nil {
		return err
	}
	ctx, cancel := d.whileRuns(ctx)
	defer cancel()
	return devnet.Until(ctx, "the daemon is ready", d.ready)
}

func (d *daemon) ready(ctx context.Context) error {
	cl, err := client.New(d.url, d.token)
	if err != nil {
		return err
	}
	r, err := cl.Ready(ctx)
	if err != nil || r.Ready {
		return err
	}
	for _, c := range r.Components {
		if !c.Ready {
			return fmt.Errorf("%s is %s: %s", c.Name, c.State, c.Advice)
		}
	}
	return errors.New("it is not ready, and does not say why")
}

// view follows a resource by server-sent events, through the command line.
type view struct {
	cmd   *exec.Cmd
	lines *json.Decoder
	last  wire.Resource
}

// follow starts to follow, and returns once the present state was told.
func (d *daemon) follow(ctx context.Context, id string) (*view, error) {
	cmd := d.command(ctx, nil, "resource", "show", id, "--follow", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	v := &view{cmd: cmd, lines: json.NewDecoder(out)}
	return v, v.next()
}

func (v *view) next() error {
	v.last = wire.Resource{}
	if err := v.lines.Decode(&v.last); err != nil {
		return fmt.Errorf("following: %w", err)
	}
	return nil
}

// until waits for a state. The context that the view was made with ends the waiting.
func (v *view) until(what string, ok func(*wire.Resource) bool) (wire.Resource, error) {
	for !ok(&v.last) {
		before := v.last
		if err := v.next(); err != nil {
			return before, fmt.Errorf("waiting until %s, it is %s with %d ms left: %w", what, before.Status, before.Remaining, err)
		}
	}
	return v.last, nil
}

// end stops following.
func (v *view) end() {
	_ = v.cmd.Process.Signal(os.Interrupt)
	_ = v.cmd.Wait()
}
