// Package process runs the nodes of the private network so that nothing outlives the
// process that started them, not even when that is killed with SIGKILL.
//
// The kernel kills the processes of a [Nursery], and a reaper, which reads from a pipe that
// closes with their owner, removes a [Dir]. Both need Linux. [Ports] are no other network's.
// What is run is for packages build, btc and lnd.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A Nursery starts processes that the kernel kills when this one dies. Linux
// ties that to the thread that forked, not to the process: so one thread forks
// them all, and is kept until the nursery closes.
type Nursery struct {
	starts chan func()
}

// NewNursery returns a nursery, which Close ends.
func NewNursery() *Nursery {
	n := &Nursery{starts: make(chan func())}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for start := range n.starts {
			start()
		}
	}()
	return n
}

// Close lets the thread go; the processes must have ended.
func (n *Nursery) Close() { close(n.starts) }

// Start starts cmd in a process group of its own, so that a Ctrl-C in the
// terminal reaches only us, who know in which order to stop.
func (n *Nursery) Start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error, 1)
	n.starts <- func() { result <- cmd.Start() }
	return <-result
}

// A Process is a started node; its output goes to a file.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed once it has ended
}

// Run starts a program whose output goes to a file, and which gets nothing of our
// environment but the PATH.
func (n *Nursery) Run(name, log, path string, args ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &Process{name: name, cmd: exec.Command(path, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = []string{"HOME=" + filepath.Dir(log), "PATH=" + os.Getenv("PATH")}
	if err := n.Start(p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended stands in ProcessState
		close(p.done)
	}()
	return p, nil
}

// Running reports whether p has not ended, be it frozen. A nil one has.
func (p *Process) Running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ErrNotOurs says that another process started the node.
var ErrNotOurs = errors.New("only the process that started a node can signal it")

// Signal sends sig, and is content if the process has ended already.
func (p *Process) Signal(sig os.Signal) error {
	if p == nil {
		return ErrNotOurs
	}
	if !p.Running() {
		return nil
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to %s: %w", sig, p.name, err)
	}
	return nil
}

// Kill ends p with SIGKILL and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// ErrAddressInUse says that somebody else took a port before the node did.
var ErrAddressInUse = errors.New("address already in use")

// Ended returns a channel that is closed once p has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

// exitError describes a process that ended by itself, with its last words.
func (p *Process) exitError() error {
	words := tail(p.log, 10)
	err := fmt.Errorf("%s ended (%s), saying:\n%s", p.name, p.cmd.ProcessState, words)
	if strings.Contains(words, ErrAddressInUse.Error()) {
		return fmt.Errorf("%w: %w", ErrAddressInUse, err)
	}
	return err
}

func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

const (
	// TryTime bounds one try, since a node that starts or stops may leave a call
	// without an answer for good.
	TryTime = 5 * time.Second

	// patience bounds one step: a wait, a call or a payment. It is far above what any
	// takes, on a loaded machine too, so that it ends only what hangs.
	patience = 2 * time.Minute
)

// Step returns ctx for one step.
func Step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, patience, fmt.Errorf("not done after %s", patience))
}

// Until calls try until it returns nil, the patience or ctx ends, or p does. p may be
// nil.
func (p *Process) Until(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := Step(ctx)
	defer cancel()
	return p.poll(ctx, what, try)
}

func (p *Process) poll(ctx context.Context, what string, try func(context.Context) error) error {
	var ended <-chan struct{} // nil, which blocks, without a process
	if p != nil {
		ended = p.Ended()
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, TryTime)
		err := try(once)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("wait until %s: %w", what, p.exitError())
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w (last: %w)", what, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// Until polls until try returns nil or ctx ends, whose error then says what was
// waited for and what try said last. Prefer lnd's streams where there is one.
func Until(ctx context.Context, what string, try func(context.Context) error) error {
	return (*Process)(nil).poll(ctx, what, try)
}
