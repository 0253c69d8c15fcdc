package daemon_test

import (
	"errors"
	"fmt"
	"testing"

	"sandglass/adapters/clock"
	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/runfiles"
	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/testutil/devnet"
)

// heldPlan is a plan whose first payment is held.
func heldPlan(name string, startWithin instant.Millis) wire.PublishRequest {
	return wire.PublishRequest{
		Name: name, Price: wire.Price{Msat: 1, Per: 1}, Min: 1, Max: 365 * instant.Day, Grace: instant.Day,
		Enforcer: "web", Bill: "uptime", StartWithin: startWithin, Hold: true,
	}
}

// payHeld has bob pay an order of a plan, and returns what becomes of his money.
func (r *rig) payHeld(plan, id string) (key string, bob <-chan error) {
	r.t.Helper()
	o, err := r.Client().Order(r.ctx, wire.OrderRequest{Plan: plan, Time: instant.Hour, ID: id}, "")
	r.must(err)
	if !o.Payment.Hold {
		r.t.Errorf("of its payment is told %+v", o.Payment)
	}
	paid := make(chan error, 1)
	go func() {
		_, err := r.net.Bob.Pay(r.ctx, o.Payment.Request)
		paid <- err
	}()
	return o.Payment.Key, paid
}

// keeperSays leaves what a keeper says of a resource: that it is up, from now on.
func (r *rig) keeperSays(folder *runfiles.Folder, id string) {
	r.t.Helper()
	r.Until(r.ctx, id+" is wanted up", func() error {
		w, err := folder.Want(id)
		if err == nil && w.State != enforce.Up {
			err = fmt.Errorf("it is wanted %s", w.State)
		}
		if err != nil {
			return err
		}
		up, err := clock.SinceBoot()
		now := enforce.Boottime(up)
		return errors.Join(err, folder.SaveIs(&enforce.Is{
			ID: id, State: enforce.Up, Since: now, Boot: w.Boot, Generation: w.Generation, First: now,
		}), folder.SaveBeat(&enforce.Beat{Boot: w.Boot, At: now, Looked: true, Wants: 1}))
	})
}

// TestHeldPaymentsOfARealDaemon holds real payments by the real daemon, which is killed while they
// are held: bob has what he paid for, or his money.
func TestHeldPaymentsOfARealDaemon(t *testing.T) {
	run := t.TempDir()
	r := newRig(t, "SANDGLASS_RUN_DIR="+run)
	folder, err := runfiles.Open(run)
	r.must(err)
	for _, p := range []wire.PublishRequest{heldPlan("held", 0), heldPlan("short", 20*instant.Second)} {
		_, err := r.Client().Publish(r.ctx, p)
		r.must(err)
	}
	key, bob := r.payHeld("held", "up")
	r.status("up", "starting")
	if p, err := r.Client().Payment(r.ctx, key); err != nil || p.Status != "accepted" || p.HeldUntil == 0 {
		t.Errorf("held it is shown as %+v, %v", p, err)
	}
	lost, back := r.payHeld("short", "down")
	r.status("down", "starting")
	r.Kill()
	r.Start() // it is ready once it hears of its keeper
	r.keeperSays(folder, "up")
	r.must(<-bob)
	r.status("up", "running")
	r.status("down", "released")
	if failed, ok := errors.AsType[*devnet.PaymentFailed](<-back); !ok {
		t.Errorf("bob has not his money back: %v", failed)
	}
	r.Until(r.ctx, "what went back is shown so", func() error {
		p, err := r.Client().Payment(r.ctx, lost)
		if err == nil && (p.Status != "canceled" || p.Reason != "not_delivered") {
			err = fmt.Errorf("it is %+v", p)
		}
		return err
	})
	for _, audit := range []string{"replay", "reconcile"} {
		if out, err := r.Command(r.ctx, "audit", audit); err != nil {
			t.Errorf("audit %s: %v\n%s", audit, err, out)
		}
	}
}
