package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// shakeTime bounds a look at how the nodes speak.
const shakeTime = 2 * time.Second

// complained takes what a client says while it finds no node. It says the same of a node that
// is not there and of one with which TLS can't be spoken: so that is looked at, once at a time.
func (c *Cluster) complained(text string) {
	c.said.Store(&text)
	c.mu.Lock() // so that Close waits for the look, or none begins
	defer c.mu.Unlock()
	if c.ctx.Err() == nil && c.shaking.CompareAndSwap(false, true) {
		c.looking.Go(c.shake)
	}
}

// shake looks whether the nodes speak as the connection string says. Before the log was opened
// nothing mends that but another connection string, so that nobody waits for it.
func (c *Cluster) shake() {
	defer c.shaking.Store(false)
	ctx, cancel := context.WithTimeout(c.ctx, shakeTime)
	defer cancel()
	err := mismatch(ctx, c.config)
	if err == nil {
		c.wrong.Store(nil)
		return
	}
	if c.wrong.Swap(&err) == nil && !c.opened.Load() {
		c.giveUp(permanentError{err})
	}
}

// mismatch returns why no node can be spoken to that answers, if that is so: for TLS.
func mismatch(ctx context.Context, config *esdb.Configuration) error {
	addrs := addresses(config)
	errs, answer := make([]error, len(addrs)), make([]bool, len(addrs))
	var shaking sync.WaitGroup
	for i, addr := range addrs {
		shaking.Go(func() { answer[i], errs[i] = handshake(ctx, config, addr) })
	}
	shaking.Wait()
	var first error
	for i := range addrs {
		switch {
		case answer[i] && errs[i] == nil:
			return nil
		case first == nil:
			first = errs[i]
		}
	}
	return first
}

// addresses are those at which the client looks for a node.
func addresses(config *esdb.Configuration) []string {
	if len(config.GossipSeeds) == 0 {
		return []string{config.Address}
	}
	var list []string
	for _, seed := range config.GossipSeeds {
		list = append(list, net.JoinHostPort(seed.Host, strconv.Itoa(int(seed.Port))))
	}
	return list
}

// handshake reports whether a node answers, and what is wrong with speaking to it, or not, by
// TLS.
func handshake(ctx context.Context, config *esdb.Configuration, addr string) (answers bool, err error) {
	tcp, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false, nil // which the client says too
	}
	defer func() { _ = tcp.Close() }() // nothing was sent
	host, _, _ := net.SplitHostPort(addr)
	err = tls.Client(tcp, &tls.Config{
		ServerName: host, RootCAs: config.RootCAs, NextProtos: []string{"h2"},
		InsecureSkipVerify: config.DisableTLS || config.SkipCertificateVerification,
	}).HandshakeContext(ctx)
	plain, isPlain := errors.AsType[tls.RecordHeaderError](err)
	bad, isBad := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case config.DisableTLS && err == nil:
		return true, fmt.Errorf("eventstoredb: %s speaks TLS, and the connection string says tls=false: take that away", addr)
	case config.DisableTLS:
		return true, nil
	case isPlain:
		return true, fmt.Errorf("eventstoredb: %s speaks no TLS (%s): if that is wanted, let the connection string say tls=false",
			addr, plain.Msg)
	case isBad:
		return true, fmt.Errorf("eventstoredb: the certificate of %s %s: %w", addr, fault(bad.Err, config.RootCAs != nil), bad.Err)
	}
	return err == nil, nil
}

// fault says what is the matter with a certificate.
func fault(err error, named bool) string {
	if _, other := errors.AsType[x509.HostnameError](err); other {
		return "is for other names than the connection string has for it"
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown && named {
		return "is of another authority than the file says that tlsCAFile names"
	} else if unknown {
		return "is of an authority that this machine does not know: let tlsCAFile name the authority's file"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "has expired, or is not valid yet: look at the clocks too"
	}
	return "is not valid"
}
