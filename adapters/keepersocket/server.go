package keepersocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sandglass/domain/enforce/access"
)

// mode lets the group of the folder connect, to which the daemon belongs.
const mode = 0o660

// Options are what a [Server] is made of. All but Peer are required.
type Options struct {
	Path string // of the socket, in a folder into which the keeper alone may write
	// Daemon returns who may ask.
	Daemon func() (uid uint32, err error)
	// Access answers, with an error of package access. It is called up to [access.MaxOpen] times at
	// once, and returns soon after its context ends.
	Access func(ctx context.Context, id string) (string, error)
	// Odd is told of who may not ask, and of what is no request.
	Odd func(error)
	// Peer returns who connected; nil asks the kernel.
	Peer func(*net.UnixConn) (uid uint32, err error)
}

// Server answers for a keeper, of which there is one on a folder.
type Server struct {
	o Options
	l *net.UnixListener
}

// Listen returns a server that answers once it runs. A socket that a killed keeper left is replaced,
// and nothing else that is there.
func Listen(o Options) (*Server, error) {
	if o.Peer == nil {
		o.Peer = peer
	}
	if info, err := os.Lstat(o.Path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(o.Path); err != nil {
			return nil, fmt.Errorf("keepersocket: %w", err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: o.Path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("keepersocket: %w", err)
	}
	if err := os.Chmod(o.Path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("keepersocket: %w", err), l.Close())
	}
	return &Server{o, l}, nil
}

// Run answers until ctx ends, and then removes the socket. The error is that nobody can connect any
// more.
func (s *Server) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { s.l.Close() })()
	defer s.l.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	room := make(chan struct{}, access.MaxOpen)
	for {
		c, err := s.l.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("keepersocket: %w", err)
		}
		select {
		case room <- struct{}{}:
			wg.Go(func() {
				defer func() { <-room }()
				s.serve(ctx, c)
			})
		default: // a line fits into a new socket, so that it is written at once
			_ = c.SetDeadline(time.Now().Add(time.Second))
			_ = writeLine(c, answerOf("", access.ErrBusy))
			_ = c.Close()
		}
	}
}

// serve answers who connected, if that is the daemon.
func (s *Server) serve(ctx context.Context, c *net.UnixConn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	// The answer has time of its own, however long the request took.
	if err := c.SetDeadline(time.Now().Add(access.MaxTime)); err != nil {
		return
	}
	id, err := s.request(c)
	if err != nil {
		s.o.Odd(err)
		return
	}
	text, err := s.o.Access(ctx, id)
	if c.SetDeadline(time.Now().Add(time.Second)) == nil {
		_ = writeLine(c, answerOf(text, err)) // who is gone needs no answer
	}
}

// request returns the id that the daemon asks for.
func (s *Server) request(c *net.UnixConn) (string, error) {
	owner, err := s.o.Daemon()
	if err != nil {
		return "", err
	}
	uid, err := s.o.Peer(c)
	if err != nil {
		return "", err
	}
	if uid != owner {
		return "", fmt.Errorf("user %d asks how a resource is reached: user %d alone may, who owns the wants", uid, owner)
	}
	line, err := readLine(c, maxRequest)
	if err != nil {
		return "", fmt.Errorf("a request: %w", err)
	}
	if id, err := parseRequest(line); err == nil {
		return id, nil
	} else {
		return "", fmt.Errorf("the request %.80q: %w", line, err)
	}
}

// peer returns the user of the process that connected, as of then.
func peer(c *net.UnixConn) (uid uint32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var of error
	err = raw.Control(func(fd uintptr) { cred, of = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, of); err != nil {
		return 0, fmt.Errorf("who connects: %w", err)
	}
	return cred.Uid, nil
}
