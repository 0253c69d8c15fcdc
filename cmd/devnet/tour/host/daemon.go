package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/testutil/devnet"
	"sandglass/testutil/devnet/process"
)

// Daemon is a `sandglass serve` that watches a wallet, and the commands that speak to it.
type Daemon struct {
	child
	URL       string   // of its API
	Store     string   // the URL of its event log
	Env       []string // of all its commands
	binary    string
	token     string // the operator's
	namespace string // of its log in a cluster
	ports     *process.Ports
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

// Beside says where the log is, if it is not in a file.
func (d *Daemon) Beside() string {
	if d.namespace == "" {
		return ""
	}
	return ", the log is in the namespace " + d.namespace
}

// NewDaemon makes the folder of a daemon, and an operator's token in it. The settings, as NAME=VALUE,
// name the wallet that it watches. It listens at its default address, unless it is given one.
func NewDaemon(binary, dir, listen string, settings []string, store Store) (*Daemon, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	token, file := rand.Text(), filepath.Join(dir, "operator.token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		return nil, err
	}
	ports := new(process.Ports)
	if listen == "" {
		var err error
		if listen, err = address(ports); err != nil {
			return nil, err
		}
	}
	d := &Daemon{
		ports:  ports,
		child:  child{name: "the daemon", Log: filepath.Join(dir, "serve.log")},
		binary: binary, URL: "http://" + listen, token: token,
	}
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "SANDGLASS_") {
			d.Env = append(d.Env, setting)
		}
	}
	d.Env = append(d.Env, settings...)
	d.Env = append(d.Env,
		"SANDGLASS_STATE_DIR="+dir,
		"SANDGLASS_LISTEN="+listen,
		"SANDGLASS_URL="+d.URL,
		"SANDGLASS_PUBLIC_URL="+d.URL,
		"SANDGLASS_OPERATOR_TOKEN_FILE="+file)
	d.Store = "sqlite:" + filepath.Join(dir, "sandglass.db")
	if store.URL != "" {
		d.Store, d.namespace = store.URL, "demo_"+strings.ToLower(rand.Text())
		d.Env = append(d.Env, store.env(d.namespace)...)
	}
	return d, nil
}

// defaultPort is the daemon's.
const defaultPort = 8420

// address is the daemon's default address, or another where that is taken: no other tour takes it while it is dead.
func address(ports *process.Ports) (addr string, err error) {
	addr, free := ports.TakePort(defaultPort)
	if !free {
		err = ports.Take(&addr)
	}
	return addr, err
}

// Close stops the daemon if it runs, and gives its address back.
func (d *Daemon) Close() error {
	defer d.ports.Release()
	return d.Stop()
}

// Command is a child in a process group of its own, so that a Ctrl-C in the terminal
// reaches only us, and ended by the kernel if we are killed.
func (d *Daemon) Command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.binary, args...)
	cmd.Env = append(append([]string(nil), d.Env...), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Run runs a command as a user would, and returns what it printed.
func (d *Daemon) Run(ctx context.Context, env []string, args ...string) ([]byte, error) {
	cmd := d.Command(ctx, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := bytes.TrimSpace(append(stdout.Bytes(), stderr.Bytes()...))
		return stdout.Bytes(), fmt.Errorf("sandglass %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return stdout.Bytes(), nil
}

// Ask runs a command with --json and reads its answer into out.
func (d *Daemon) Ask(ctx context.Context, out any, args ...string) error {
	text, err := d.Run(ctx, nil, append(args, "--json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("sandglass %s: %w: %.200s", strings.Join(args, " "), err, text)
	}
	return nil
}

// Start starts the daemon and waits until it is ready.
func (d *Daemon) Start(ctx context.Context) error {
	if err := d.begin(d.Command(context.Background(), nil, "serve")); err != nil {
		return err
	}
	ctx, cancel := d.WhileRuns(ctx)
	defer cancel()
	return devnet.Until(ctx, "the daemon is ready", d.ready)
}

func (d *Daemon) ready(ctx context.Context) error {
	cl, err := client.New(d.URL, d.token)
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

// View follows a resource by server-sent events, through the command line.
type View struct {
	cmd   *exec.Cmd
	lines *json.Decoder
	Last  wire.Resource // what was told last
}

// Follow starts to follow, and returns once the present state was told.
func (d *Daemon) Follow(ctx context.Context, id string) (*View, error) {
	cmd := d.Command(ctx, nil, "resource", "show", id, "--follow", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	v := &View{cmd: cmd, lines: json.NewDecoder(out)}
	return v, v.next()
}

func (v *View) next() error {
	v.Last = wire.Resource{}
	if err := v.lines.Decode(&v.Last); err != nil {
		return fmt.Errorf("following: %w", err)
	}
	return nil
}

// Until waits for a state. The context that the view was made with ends the waiting.
func (v *View) Until(what string, ok func(*wire.Resource) bool) (wire.Resource, error) {
	for !ok(&v.Last) {
		before := v.Last
		if err := v.next(); err != nil {
			return before, fmt.Errorf("waiting until %s, it is %s with %d ms left: %w", what, before.Status, before.Remaining, err)
		}
	}
	return v.Last, nil
}

// End stops following.
func (v *View) End() {
	_ = v.cmd.Process.Signal(os.Interrupt)
	_ = v.cmd.Wait()
}
