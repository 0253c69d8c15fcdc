package process

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
)

// Ports are taken below the range from which the kernel serves outgoing
// connections and listeners on port 0.
const firstPort, lastPort = 10_000, 32_000

// Ports hand out loopback ports that nobody else of this machine gets: for
// each they hold the same port of another loopback address, even while what
// it is for is down.
type Ports struct {
	held []io.Closer
}

// TakePort takes a port of 127.0.0.1 by its number, and reports whether it was free.
func (p *Ports) TakePort(port int) (addr string, free bool) {
	hold, err := net.Listen("tcp", fmt.Sprintf("127.83.0.1:%d", port))
	if err != nil {
		return "", false
	}
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	probe, err := net.Listen("tcp", addr)
	if err != nil {
		hold.Close()
		return "", false
	}
	p.held = append(p.held, hold)
	return addr, probe.Close() == nil
}

// next returns a free address on 127.0.0.1.
func (p *Ports) next() (string, error) {
	for range 100 {
		if addr, free := p.TakePort(firstPort + rand.IntN(lastPort-firstPort)); free {
			return addr, nil
		}
	}
	return "", errors.New("found no free port on 127.0.0.1 in 100 tries")
}

// Take fills each of addrs with a free address.
func (p *Ports) Take(addrs ...*string) error {
	for _, addr := range addrs {
		next, err := p.next()
		if err != nil {
			return err
		}
		*addr = next
	}
	return nil
}

// Release gives back what was taken.
func (p *Ports) Release() {
	for _, hold := range p.held {
		hold.Close()
	}
	p.held = nil
}
