package lnd_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/lightning/hold"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/devnet"
	"sandglass/testutil/storetest"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// holder is a daemon that carries held payments on, of which the log may tell it late.
type holder struct {
	*daemon
	net  *devnet.Network
	loop *hold.Loop
	keys []payment.Key
}

var heldSigner = request.Signer{Key: [32]byte{7}}

// newHolder starts one on a real network.
func newHolder(t *testing.T) *holder {
	t.Helper()
	net := devnet.Shared(t)
	h := &holder{daemon: newDaemon(t, realNode{net}.config()), net: net}
	h.config.Requests = request.New(request.Options{Store: new(storetest.Memory), Now: now, Most: 100})
	h.config.SweepEvery = time.Second
	var loop atomic.Pointer[hold.Loop]
	h.config.Held = func(hash string) {
		if l := loop.Load(); l != nil {
			l.Held(hash)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan error, 1)
	go func() { followed <- h.config.Requests.Run(ctx) }()
	h.ready()
	h.loop = hold.New(hold.Config{
		Wallet: h.client, Node: func() string { return net.Alice.Pubkey }, Requests: h.config.Requests, Signer: heldSigner,
		Booker:   &payment.Booker{Payments: h.payments, Resources: h.resources, Now: now},
		Accepted: h.accepted, Watch: func(resource.ID, chan struct{}) func() { return func() {} }, Observer: h, Now: now,
		HeldSince: func(string, instant.Time) []instant.Time { return nil }, // it is the first
		Ready:     []<-chan struct{}{h.config.Requests.CaughtUp()}, LookEvery: 100 * time.Millisecond,
	})
	loop.Store(h.loop)
	done := make(chan error, 1)
	go func() { done <- h.loop.Run(ctx) }()
	t.Cleanup(func() { cancel(); check(t, errors.Join(<-done, <-followed)) })
	return h
}

// accepted is what a projection tells.
func (h *holder) accepted() (list []payment.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range h.keys {
		if out, err := h.payments.Load(context.Background(), key); err == nil && out.State.Status == payment.StatusAccepted {
			list = append(list, out.State)
		}
	}
	return list
}

// order gives an order of an id an invoice that is held, and has bob pay it. What became of his
// money his own wallet says.
func (h *holder) order(id resource.ID, startWithin instant.Millis) (key payment.Key, bob <-chan error) {
	h.t.Helper()
	nonce := preimageOf(h.t)
	description := heldSigner.Describe(id, instant.Hour, [8]byte(nonce[:8]))
	preimage := heldSigner.Preimage(description)
	inv := must(h.client.HoldInvoice(within(h.t), sha256.Sum256(preimage[:]), anHour(60_000, description)))(h.t)
	h.note(func() { h.keys = append(h.keys, inv.Key) })
	check(h.t, h.config.Requests.Keep(h.t.Context(), &request.Record{
		Key: inv.Key, Node: h.net.Alice.Pubkey,
		Request: payment.Request{
			At: now(), Resource: id, Amount: 60_000, Price: price, Expiry: inv.Expiry, Invoice: inv.Request,
			Order: &resource.Order{Plan: "small", Enforcer: "web", Request: [16]byte{1}, Terms: resource.Terms{
				Price: price, Uptime: true, Hold: true, StartWithin: startWithin,
			}},
		},
	}))
	h.loop.Given()
	paid := make(chan error, 1)
	go func() {
		p, err := h.net.Bob.Pay(h.t.Context(), inv.Request)
		if err == nil && p.Status != lnrpc.Payment_SUCCEEDED {
			err = fmt.Errorf("bob's payment is %s", p.Status)
		}
		paid <- err
	}()
	return inv.Key, paid
}

// until waits until a payment, and what it is for, have come to a status.
func (h *holder) until(key payment.Key, id resource.ID, p payment.Status, r resource.Status) {
	h.t.Helper()
	check(h.t, devnet.Until(within(h.t), fmt.Sprintf("payment %s and resource %s", p, r), func(ctx context.Context) error {
		paid, err := h.payments.Load(ctx, key)
		if err != nil {
			return err
		}
		of, err := h.resources.Load(ctx, id)
		if err == nil && (paid.State.Status != p || of.State.Status != r) {
			err = fmt.Errorf("they are %s and %s", paid.State.Status, of.State.Status)
		}
		return err
	}))
}

// up has the keeper say that a resource is up.
func (h *holder) up(id resource.ID) {
	h.t.Helper()
	must(h.resources.Execute(h.t.Context(), id, stream.Meta{}, resource.Report{
		When: resource.When{At: now()}, Up: true, Since: now(),
	}))(h.t)
}

// failed checks that bob's wallet has his money back.
func (h *holder) failed(bob <-chan error) {
	h.t.Helper()
	if failed, ok := errors.AsType[*devnet.PaymentFailed](<-bob); !ok {
		h.t.Error("bob's payment did not fail")
	} else if failed.Payment.Status != lnrpc.Payment_FAILED {
		h.t.Errorf("bob's payment is %s", failed.Payment.Status)
	}
}

// TestHeldOnARealLnd holds real payments: bob's wallet says that it is paid once what he ordered is
// up, and not before, and that it failed where that did not come up; over a kill of lnd too.
func TestHeldOnARealLnd(t *testing.T) {
	t.Run("up", func(t *testing.T) {
		h := newHolder(t)
		key, bob := h.order("vm-1", 0)
		h.until(key, "vm-1", payment.StatusAccepted, resource.StatusStarting)
		select {
		case err := <-bob:
			t.Fatalf("it is settled before it is up: %v", err)
		default:
		}
		h.up("vm-1")
		check(t, <-bob)
		h.until(key, "vm-1", payment.StatusCredited, resource.StatusRunning)
	})
	t.Run("not up", func(t *testing.T) {
		h := newHolder(t)
		key, bob := h.order("vm-1", 3*instant.Second)
		h.until(key, "vm-1", payment.StatusCanceled, resource.StatusReleased)
		h.failed(bob)
	})
	t.Run("killed while it is held, and up", func(t *testing.T) {
		h := newHolder(t)
		key, bob := h.order("vm-1", 0)
		h.until(key, "vm-1", payment.StatusAccepted, resource.StatusStarting)
		check(t, h.net.Alice.Kill())
		h.up("vm-1")
		check(t, h.net.Alice.Restart(within(t)))
		check(t, <-bob)
		h.until(key, "vm-1", payment.StatusCredited, resource.StatusRunning)
	})
	t.Run("killed while it is held, and not up", func(t *testing.T) {
		h := newHolder(t)
		key, bob := h.order("vm-1", 10*instant.Second)
		h.until(key, "vm-1", payment.StatusAccepted, resource.StatusStarting)
		check(t, h.net.Alice.Kill())
		check(t, h.net.Alice.Restart(within(t)))
		h.until(key, "vm-1", payment.StatusCanceled, resource.StatusReleased)
		h.failed(bob)
	})
}
