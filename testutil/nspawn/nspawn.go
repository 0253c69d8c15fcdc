// Package nspawn boots a real systemd for tests: a Debian 12 in a container of systemd-nspawn,
// with a bus and polkit, which starts clean each time and is up in a few seconds.
//
// scripts/systemd-root makes the tree that it boots, once. It needs root, and Debian's
// systemd-container and debootstrap. What the kernel of the host doesn't hand down isn't there:
// neither MemoryMax= nor IPAddressDeny= need be enforced. Its network is its own loopback.
package nspawn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Bounds of what is waited for: they are far above what it takes.
const (
	makeLimit = 15 * time.Minute // of a tree
	bootLimit = 2 * time.Minute
	stopLimit = time.Minute
)

// Options says what is in a machine besides the tree.
type Options struct {
	Binds []string // folders and files of this host, which it can read, as in /host/path:/inside
	State []string // the same, and it can write to them: they outlive it
}

// Machine is a systemd that was booted.
type Machine struct {
	leader  int // its PID 1, as this host counts
	nspawn  *exec.Cmd
	done    chan struct{} // closed when nspawn has ended
	cgroups []string      // which it has to itself
	said    bytes.Buffer  // what nspawn and the boot printed, complete when done is closed
}

// boots numbers the machines of a process.
var boots atomic.Int32

// Boot starts a machine and returns when its systemd says that it runs. Whoever dies before he
// closed it takes it with him.
func Boot(ctx context.Context, o Options) (*Machine, error) {
	tree, err := root(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	m := &Machine{done: make(chan struct{})}
	name := fmt.Sprintf("sandglass-%d-%d", os.Getpid(), boots.Add(1))
	if m.cgroups, err = makeCgroups(name); err != nil {
		return nil, err
	}
	told, err := listen()
	if err != nil {
		return nil, errors.Join(err, m.removeCgroups())
	}
	defer told.close()
	if err := m.start(command(tree, name, told.path, m.cgroups, o)); err != nil {
		return nil, errors.Join(err, m.removeCgroups())
	}
	if err := m.await(ctx, told); err != nil {
		closed := m.Close()
		return nil, errors.Join(fmt.Errorf("nspawn: boot: %w\n%s", err, m.said.Bytes()), closed)
	}
	return m, nil
}

// root returns the folder of the tree, which is made if it isn't there.
func root(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, makeLimit)
	defer cancel()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			break
		} else if dir == filepath.Dir(dir) {
			err = errors.New("this is not run in a folder of the module")
		}
	}
	if err != nil {
		return "", fmt.Errorf("nspawn: %w", err)
	}
	script := exec.CommandContext(ctx, filepath.Join(dir, "scripts", "systemd-root"))
	script.Stderr = os.Stderr
	out, err := script.Output()
	if err != nil {
		return "", fmt.Errorf("nspawn: scripts/systemd-root: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// inCgroup enters the cgroups of its first argument and becomes what the others say.
const inCgroup = `for c in $1; do echo $$ >"$c/cgroup.procs" || exit; done; shift; exec "$@"`

// command is nspawn, which boots a tree.
func command(tree, name, notify string, cgroups []string, o Options) *exec.Cmd {
	args := []string{"-c", inCgroup, "sh", strings.Join(cgroups, " "),
		"systemd-nspawn", "--quiet", "--boot", "--directory=" + tree, "--machine=" + name, "--volatile=overlay",
		"--register=no", "--keep-unit", "--notify-ready=yes", "--private-network", "--link-journal=no", "--settings=no",
		"--resolv-conf=off", "--timezone=off", "--console=pipe"}
	for _, bind := range o.Binds {
		args = append(args, "--bind-ro="+bind)
	}
	for _, bind := range o.State {
		args = append(args, "--bind="+bind)
	}
	c := exec.Command("sh", args...)
	c.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "NOTIFY_SOCKET="+notify)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	return c
}

// start starts nspawn. The thread that did so lives as long as it, as the kernel takes the
// thread's death for that of all.
func (m *Machine) start(c *exec.Cmd) error {
	m.nspawn = c
	c.Stdout, c.Stderr = &m.said, &m.said
	started := make(chan error)
	go func() {
		defer close(m.done)
		runtime.LockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			_ = c.Wait() // how it ended is not what is asked
		}
	}()
	return <-started
}

// await waits until what was booted runs.
func (m *Machine) await(ctx context.Context, told *notifications) error {
	for ready := false; !ready; {
		select {
		case message := <-told.messages:
			if pid, found := strings.CutPrefix(message, "X_NSPAWN_LEADER_PID="); found {
				leader, err := strconv.Atoi(pid)
				if err != nil {
					return err
				}
				m.leader = leader
			}
			ready = message == "READY=1"
		case <-m.done:
			return fmt.Errorf("systemd-nspawn ended: %v", m.nspawn.ProcessState)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if m.leader == 0 {
		return errors.New("systemd-nspawn did not tell its leader")
	}
	out, err := m.Command(ctx, "systemctl", "is-system-running", "--wait").CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl is-system-running: %w: %s", err, out)
	}
	return nil
}

// Command is a command that runs in the machine as its root, with nothing of the environment
// of this process.
func (m *Machine) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	enter := []string{"-t", strconv.Itoa(m.leader), "-m", "-u", "-i", "-n", "-p", "-C", "--",
		"env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", name}
	return exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
}

// Root is the folder in which this host sees the files of the machine.
func (m *Machine) Root() string { return fmt.Sprintf("/proc/%d/root", m.leader) }

// Close shuts the machine down, or ends it if it doesn't do so by itself.
func (m *Machine) Close() error {
	_ = m.nspawn.Process.Signal(syscall.SIGTERM) // it may have ended
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-m.done:
	case <-limit.C:
		_ = m.nspawn.Process.Kill()
		<-m.done
	}
	return m.removeCgroups()
}

// makeCgroups makes a cgroup in each hierarchy that systemd needs. Without, nspawn would make
// its own in that of the host, where a second machine meets it.
func makeCgroups(name string) (made []string, err error) {
	for _, hierarchy := range []string{"", "unified", "systemd"} {
		dir := filepath.Join("/sys/fs/cgroup", hierarchy)
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
			continue // no such hierarchy
		}
		made = append(made, filepath.Join(dir, name))
	}
	if len(made) == 0 {
		return nil, errors.New("nspawn: /sys/fs/cgroup has no hierarchy for systemd")
	}
	for _, dir := range made {
		err = errors.Join(err, os.Mkdir(dir, 0o755))
	}
	return made, err
}

// removeCgroups removes the cgroups, and those that systemd made in them.
func (m *Machine) removeCgroups() (err error) {
	for _, top := range m.cgroups {
		var dirs []string
		err = errors.Join(err, filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		}))
		for _, dir := range slices.Backward(dirs) {
			err = errors.Join(err, os.Remove(dir))
		}
	}
	return err
}

// notifications are what nspawn tells of itself, as a service does to systemd.
type notifications struct {
	path     string // of the socket
	messages chan string
	conn     *net.UnixConn
	dir      string
	stop     chan struct{}
	stopped  chan struct{}
}

func listen() (*notifications, error) {
	dir, err := os.MkdirTemp("", "nspawn")
	if err != nil {
		return nil, err
	}
	n := &notifications{path: filepath.Join(dir, "notify"), dir: dir,
		messages: make(chan string), stop: make(chan struct{}), stopped: make(chan struct{})}
	if n.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: n.path, Net: "unixgram"}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go n.run()
	return n, nil
}

func (n *notifications) run() {
	defer close(n.stopped)
	buf := make([]byte, 4096)
	for {
		size, err := n.conn.Read(buf)
		if err != nil {
			return // it is closed
		}
		for message := range strings.SplitSeq(string(buf[:size]), "\n") {
			select {
			case n.messages <- message:
			case <-n.stop:
				return
			}
		}
	}
}

func (n *notifications) close() {
	close(n.stop)
	n.conn.Close()
	<-n.stopped
	os.RemoveAll(n.dir)
}
