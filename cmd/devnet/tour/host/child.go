// Package host runs Sandglass as a host does: the daemon, the keeper beside it, and the commands
// that speak to them, as processes of their own.
package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child is a process of ours that lasts, and what it logs.
type child struct {
	name string // such as "the daemon"
	Log  string // the file with what it says
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended
}

// begin starts a process.
func (c *child) begin(cmd *exec.Cmd) error {
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd, c.done = cmd, make(chan struct{})
	go func(done chan struct{}) {
		_ = cmd.Wait() // how it ended stands in ProcessState
		close(done)
	}(c.done)
	return nil
}

// WhileRuns returns ctx, which ends with the process too.
func (c *child) WhileRuns(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func(cmd *exec.Cmd, done chan struct{}) {
		select {
		case <-done:
			cancel(fmt.Errorf("%s ended: %s", c.name, cmd.ProcessState))
		case <-ctx.Done():
		}
	}(c.cmd, c.done)
	return ctx, func() { cancel(nil) }
}

func (c *child) running() bool {
	if c.done == nil {
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// Kill ends the process with SIGKILL, as a power cut would.
func (c *child) Kill() error {
	if !c.running() {
		return fmt.Errorf("%s has ended by itself", c.name)
	}
	err := c.cmd.Process.Kill()
	<-c.done
	return err
}

// stopTime is how long a process may take to end by itself.
const stopTime = 10 * time.Second

// Stop asks the process to end. It must, with status 0.
func (c *child) Stop() error {
	if !c.running() {
		return nil
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("%s did not end within %s", c.name, stopTime), c.Kill())
	}
	if !c.cmd.ProcessState.Success() {
		return fmt.Errorf("%s ended: %s", c.name, c.cmd.ProcessState)
	}
	return nil
}

// Words are the last lines of what the process logged, and whose they are.
func (c *child) Words() string {
	data, err := os.ReadFile(c.Log)
	if err != nil {
		return "\n" + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return fmt.Sprintf("\nthe last words of %s:\n%s", c.name, strings.Join(lines[max(0, len(lines)-15):], "\n"))
}
