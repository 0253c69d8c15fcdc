package command

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Bounds of a call. What prints more than that has no end, and is killed.
const (
	maxOutput = 64 << 10        // bytes, of each of stdout and stderr
	maxReason = 1000            // bytes of the end of stderr, which are told
	drain     = 1 * time.Second // for which a pipe is read that a child has kept open
)

// configuration is the exit status that says that trying again is of no use: EX_CONFIG.
const configuration = 78

var (
	errConfiguration = errors.New("exit status 78")
	errTooMuch       = fmt.Errorf("it printed more than %d bytes, and was killed", maxOutput)
)

// call runs a program in a process group of its own, which is killed when ctx ends, and returns
// what it printed, and the end of what it said on stderr.
func call(ctx context.Context, environ []string, path string, args ...string) (out, said []byte, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tooMuch := func() { cancel(errTooMuch) }
	stdout, stderr := &bounded{over: tooMuch}, &bounded{over: tooMuch}
	c := exec.CommandContext(ctx, path, args...)
	c.Env, c.Dir, c.Stdout, c.Stderr = environ, "/", stdout, stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = drain
	err = c.Run()
	if errors.Is(err, exec.ErrWaitDelay) { // it has ended well, and left a child with its output
		err = nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("it was killed at its deadline: %w", err)
		}
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == configuration {
		err = errConfiguration
	}
	said = stderr.bytes()
	return stdout.bytes(), said[max(0, len(said)-maxReason):], err
}

// bounded keeps what is written to it, and tells once that it is too much.
type bounded struct {
	mu   sync.Mutex // a copier may be at work when the call is over
	buf  []byte
	over func()
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := maxOutput - len(b.buf); room < len(p) {
		b.over()
		b.buf = append(b.buf, p[:room]...)
	} else {
		b.buf = append(b.buf, p...)
	}
	return len(p), nil
}

func (b *bounded) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf[:len(b.buf):len(b.buf)]
}

// secondsUntil rounds down.
func secondsUntil(deadline time.Time) int { return max(0, int(time.Until(deadline).Seconds())) }
