package devnet

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

// A nursery starts processes that the kernel kills when this one dies. Linux
// ties that to the thread that forked, not to the process: so one thread forks
// them all, and is kept until the nursery closes.
type nursery struct {
	starts chan func()
}

func newNursery() *nursery {
	n := &nursery{starts: make(chan func())}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for start := range n.starts {
			start()
		}
	}()
	return n
}

// close lets the thread go; the processes must have ended.
func (n *nursery) close() { close(n.starts) }

// start starts cmd in a process group of its own, so that a Ctrl-C in the
// terminal reaches only us, who know in which order to stop.
func (n *nursery) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error, 1)
	n.starts <- func() { result <- cmd.Start() }
	return <-result
}

// A process is a started node; its output goes to a file.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed once it has ended
}

func (n *nursery) run(name, log, path string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{name: name, cmd: exec.Command(path, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = []string{"HOME=" + filepath.Dir(log), "PATH=" + os.Getenv("PATH")}
	if err := n.start(p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended stands in ProcessState
		close(p.done)
	}()
	return p, nil
}

func (p *process) running() bool {
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

// errNotOurs says that another process started the node.
var errNotOurs = errors.New("only the process that started a node can signal it")

// signal sends sig, and is content if the process has ended already.
func (p *process) signal(sig os.Signal) error {
	if p == nil {
		return errNotOurs
	}
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to %s: %w", sig, p.name, err)
	}
	return nil
}

// kill ends p with SIGKILL and waits until it is gone.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// errAddressInUse says that somebody else took a port before the node did.
var errAddressInUse = errors.New("address already in use")

// exitError describes a process that ended by itself, with its last words.
func (p *process) exitError() error {
	words := tail(p.log, 10)
	err := fmt.Errorf("%s ended (%s), saying:\n%s", p.name, p.cmd.ProcessState, words)
	if strings.Contains(words, errAddressInUse.Error()) {
		return fmt.Errorf("%w: %w", errAddressInUse, err)
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
	// tryTime bounds one try, since a node that starts or stops may leave a call
	// without an answer for good.
	tryTime = 5 * time.Second

	// patience bounds one step: a wait, a call or a payment. It is far above what any
	// takes, on a loaded machine too, so that it ends only what hangs.
	patience = 2 * time.Minute
)

// step returns ctx for one step.
func step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, patience, fmt.Errorf("not done after %s", patience))
}

// until calls try until it returns nil, the patience or ctx ends, or p does. p may be
// nil.
func (p *process) until(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := step(ctx)
	defer cancel()
	return p.poll(ctx, what, try)
}

func (p *process) poll(ctx context.Context, what string, try func(context.Context) error) error {
	var ended <-chan struct{} // nil, which blocks, without a process
	if p != nil {
		ended = p.done
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, tryTime)
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
	return (*process)(nil).poll(ctx, what, try)
}
