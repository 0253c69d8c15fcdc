// Package seller is a real daemon on real nodes that has something on offer, for tests of how people
// pay: bob has the wallet.
package seller

import (
	"errors"
	"fmt"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/testutil/daemon"
	"sandglass/testutil/devnet"
)

// Seller is a daemon on alice that runs.
type Seller struct {
	*daemon.Daemon
	Net *devnet.Network

	t *testing.T
}

// Open starts a daemon on the network that the tests of a binary share, with settings of its own.
func Open(t *testing.T, env ...string) *Seller {
	t.Helper()
	net := devnet.Shared(t)
	s := &Seller{daemon.New(t, append(net.Env(), env...)...), net, t}
	s.Start()
	s.WaitReady(t.Context())
	return s
}

// Must fails the test if a step of it did.
func (s *Seller) Must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.Log())
	}
}

// Publish puts plans on offer.
func (s *Seller) Publish(plans ...wire.PublishRequest) {
	s.t.Helper()
	for _, p := range plans {
		_, err := s.Client().Publish(s.t.Context(), p)
		s.Must(err)
	}
}

// Order orders a resource, without paying.
func (s *Seller) Order(plan, id string, time instant.Millis) wire.Order {
	s.t.Helper()
	o, err := s.Client().Order(s.t.Context(), wire.OrderRequest{Plan: plan, Time: time, ID: id}, "")
	s.Must(err)
	return o
}

// Pay has bob pay an invoice.
func (s *Seller) Pay(bolt11 string) {
	s.t.Helper()
	_, err := s.Net.Bob.Pay(s.t.Context(), bolt11)
	s.Must(err)
}

// Resource returns a resource as it is now.
func (s *Seller) Resource(id string) wire.Resource {
	s.t.Helper()
	r, err := s.Client().Resource(s.t.Context(), id)
	s.Must(err)
	return r
}

// Becomes waits until a resource has a status.
func (s *Seller) Becomes(id, status string) wire.Resource {
	s.t.Helper()
	return s.Until(id, "it is "+status, func(r *wire.Resource) bool { return r.Status == status })
}

// Until waits until something is so of a resource.
func (s *Seller) Until(id, what string, so func(*wire.Resource) bool) (r wire.Resource) {
	s.t.Helper()
	s.Daemon.Until(s.t.Context(), id+": "+what, func() (err error) {
		if r, err = s.Client().Resource(s.t.Context(), id); err == nil && !so(&r) {
			err = errors.New("it is not so: " + fmt.Sprintf("%+v", r))
		}
		return err
	})
	return r
}
