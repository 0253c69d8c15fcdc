package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sandglass/domain/chain"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/reconcile"
	"sandglass/domain/resource"
	"sandglass/domain/stream"

	"pgregory.net/rapid"
)

// facts are a wallet and the log that a daemon without fault makes of it.
type facts struct {
	wallet *reconcile.Wallet
	log    events
}

func (f *facts) reconcile(t *rapid.T) *reconcile.Report {
	l := f.log.log(t)
	return reconcile.Compare(l, f.wallet, reconcile.Options{Known: l.Position, Required: l.Required(depth)})
}

func drawFacts(t *rapid.T) *facts {
	f := &facts{wallet: wallets()}
	f.log.adopt(node, 3)
	f.log.issue(addr, "web", node)
	f.log.issue("bcrt1qtwo", "two", node)
	amounts := rapid.Int64Range(1, int64(money.MaxMsat))
	for i := range rapid.IntRange(0, 6).Draw(t, "invoices") {
		a := arrival(payment.LightningKey(fmt.Sprintf("%02x", i)), money.Msat(amounts.Draw(t, "amount")), int64(10+i))
		f.wallet.Arrivals = append(f.wallet.Arrivals, a)
		if rapid.Bool().Draw(t, "requested") {
			f.log.pay(a.Key, requested())
		}
		s := settled(a.Settle.Amount)
		if rapid.Bool().Draw(t, "unallocated") {
			f.log.pay(a.Key, s, unallocated())
		} else {
			f.log.booked(a.Key, s)
		}
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "outputs") {
		to := rapid.SampledFrom([]string{addr, "bcrt1qtwo"}).Draw(t, "address")
		amount := money.Msat(amounts.Draw(t, "amount"))
		o := output(byte(i), to, amount, rapid.Int64Range(400, height).Draw(t, "height"))
		f.wallet.Outputs = append(f.wallet.Outputs, o)
		switch {
		case height-o.Height+1 >= depth:
			f.log.pay(o.Key(), seen(o.Address, o.Amount))
			if rapid.Bool().Draw(t, "reorged before") {
				f.reorged(&o)
			}
			f.log.mined(&o)
		case rapid.Bool().Draw(t, "seen"):
			f.log.pay(o.Key(), seen(o.Address, o.Amount))
		}
		if rapid.Bool().Draw(t, "listed twice") {
			o.Height, o.Block = o.Height-1, "dead"
			f.wallet.Outputs = append(f.wallet.Outputs, o)
		}
	}
	// What is not ours, and what is not money.
	if rapid.Bool().Draw(t, "more") {
		f.wallet.Arrivals = append(f.wallet.Arrivals, history(2, since))
		f.wallet.Outputs = append(f.wallet.Outputs, output(99, "bcrt1qchange", 5, 450), output(98, addr, 5, 0))
		f.wallet.Unpaid["cc"] = lightning.EntryOpen
		f.log.pay("ln-cc", requested())
	}
	f.wallet.Arrivals = shuffled(t, f.wallet.Arrivals)
	f.wallet.Outputs = shuffled(t, f.wallet.Outputs)
	return f
}

func shuffled[T any](t *rapid.T, all []T) []T {
	if len(all) == 0 {
		return nil
	}
	return rapid.Permutation(all).Draw(t, "order")
}

// reorged writes that an output was credited in a block that left the chain.
func (f *facts) reorged(o *chain.Output) {
	before := *o
	before.Height, before.Block = o.Height-1, "dead"
	f.log.mined(&before)
	f.log.pay(o.Key(), &payment.Reorged{Height: before.Height, Block: before.Block})
	f.log.resource("web", &resource.Reversed{Payment: string(o.Key()), Amount: o.Amount, Debt: o.Amount})
}

// TestFaithful reconciles a log that was made from a wallet's facts.
func TestFaithful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		r := f.reconcile(t)
		if !r.Clean() {
			t.Fatalf("%+v", r.Differences)
		}
		if r.Lightning.Wallet != r.Lightning.Log || r.Chain.Wallet != r.Chain.Log {
			t.Fatalf("%+v\n%+v", r.Lightning, r.Chain)
		}
		all := map[payment.Key]bool{}
		for _, o := range f.wallet.Outputs {
			if strings.HasPrefix(o.Address, "bcrt1qchange") {
				continue
			}
			all[o.Key()] = true
		}
		if n := r.Chain.Wallet.Payments + r.Chain.Pending.Payments; n != len(all) {
			t.Fatalf("%d outputs of %d are counted: %+v", n, len(all), r.Chain)
		}
		if n := r.Lightning.Wallet.Payments + r.Lightning.History.Payments; n != len(f.wallet.Arrivals) {
			t.Fatalf("%d invoices of %d are counted: %+v", n, len(f.wallet.Arrivals), r.Lightning)
		}
	})
}

// TestFaithfulAcrossBuilds reconciles what an earlier build, and then this one, made of
// payments by AMP and of invoices that have their set ids for hashes.
func TestFaithfulAcrossBuilds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &facts{wallet: wallets()}
		f.log.adopt(node, 3)
		for i := range rapid.IntRange(1, 6).Draw(t, "sets") {
			a, s := amp(fmt.Sprintf("%02x", i), 5), byAMP(5)
			former, _ := a.Key.Former()
			f.wallet.Arrivals = append(f.wallet.Arrivals, a)
			earlier, taken := rapid.Bool().Draw(t, "by an earlier build"), rapid.Bool().Draw(t, "an invoice has the set id")
			if taken {
				f.log.pay(former, requested())
			}
			switch {
			case earlier:
				f.log.booked(former, s)
			case taken && rapid.Bool().Draw(t, "the invoice is paid"):
				amount := money.Msat(rapid.Int64Range(4, 6).Draw(t, "amount"))
				f.wallet.Arrivals = append(f.wallet.Arrivals, arrival(former, amount, 7))
				f.log.booked(former, settled(amount))
				f.log.booked(a.Key, s)
			default:
				f.log.booked(a.Key, s)
			}
		}
		f.wallet.Arrivals = shuffled(t, f.wallet.Arrivals)
		r := f.reconcile(t)
		if !r.Clean() || r.Lightning.Wallet != r.Lightning.Log || r.Lightning.Wallet.Payments != len(f.wallet.Arrivals) {
			t.Fatalf("%+v\n%+v", r.Lightning, r.Differences)
		}
	})
}

// TestOneChange takes one thing away from either side, or alters it, and wants the
// payment to be named.
func TestOneChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		var key payment.Key
		if rapid.Bool().Draw(t, "in the wallet") {
			key = f.changeWallet(t)
		} else {
			key = f.changeLog(t)
		}
		if key == "" {
			t.Skip("there is nothing to change")
		}
		r := f.reconcile(t)
		if !slices.ContainsFunc(r.Differences, func(d reconcile.Difference) bool { return d.Key == string(key) }) {
			t.Fatalf("%s is not named: %+v", key, r.Differences)
		}
		if slices.ContainsFunc(r.Differences, func(d reconcile.Difference) bool { return d.Key != string(key) }) {
			t.Fatalf("more than %s is named: %+v", key, r.Differences)
		}
	})
}

// changeWallet changes a payment that counts, and returns its key.
func (f *facts) changeWallet(t *rapid.T) payment.Key {
	w := f.wallet
	arrivals := slices.DeleteFunc(slices.Clone(w.Arrivals), func(a lightning.Arrival) bool { return a.Key == "ln-old" })
	outputs := slices.DeleteFunc(slices.Clone(w.Outputs), func(o chain.Output) bool {
		return o.Block == "dead" || o.Address == "bcrt1qchange" || o.Height == 0 || height-o.Height+1 < depth
	})
	if n := len(arrivals) + len(outputs); n == 0 {
		return ""
	} else if i := rapid.IntRange(0, n-1).Draw(t, "which"); i < len(arrivals) {
		key := arrivals[i].Key
		at := slices.IndexFunc(w.Arrivals, func(a lightning.Arrival) bool { return a.Key == key })
		if rapid.Bool().Draw(t, "remove") {
			w.Arrivals = slices.Delete(w.Arrivals, at, at+1)
		} else {
			w.Arrivals[at].Settle.Amount++
		}
		return key
	} else {
		return f.changeOutput(t, outputs[i-len(arrivals)])
	}
}

func (f *facts) changeOutput(t *rapid.T, o chain.Output) payment.Key {
	w := f.wallet
	at := slices.IndexFunc(w.Outputs, func(p chain.Output) bool { return p.Key() == o.Key() && p.Block == o.Block })
	switch rapid.IntRange(0, 4).Draw(t, "change") {
	case 0:
		w.Outputs = slices.Delete(w.Outputs, at, at+1)
	case 1:
		w.Outputs[at].Amount++
	case 2:
		w.Outputs[at].Height, w.Outputs[at].Block = o.Height-1, block(o.Height-1)
	case 3:
		w.Outputs[at].Height, w.Outputs[at].Block = 0, ""
	case 4:
		w.Outputs[at].Address = map[string]string{addr: "bcrt1qtwo", "bcrt1qtwo": addr}[o.Address]
	}
	return o.Key()
}

// changeLog drops or alters one record that moves money, and returns the payment's key.
// Of what a reorg undid there may be no trace left, and a request moves nothing.
func (f *facts) changeLog(t *rapid.T) payment.Key {
	undone := map[int]bool{}
	last := map[payment.Key]int{} // of the reorg of each stream
	for i, r := range f.log {
		if r.Type == "payment.reorged.v1" {
			last[payment.Key(strings.TrimPrefix(r.Stream, payment.Prefix))] = i
		}
	}
	var which []int
	for i, r := range f.log {
		key := keyOf(&r)
		if at, ok := last[key]; ok && i <= at {
			undone[i] = true
		}
		counts := slices.ContainsFunc(f.log, func(s stream.Record) bool {
			return s.Stream == payment.Prefix+string(key) && s.Type == "payment.settled.v2"
		})
		if counts && !undone[i] && r.Type != "payment.requested.v2" {
			which = append(which, i)
		}
	}
	if len(which) == 0 {
		return ""
	}
	i := rapid.SampledFrom(which).Draw(t, "which")
	key := keyOf(&f.log[i])
	if rapid.Bool().Draw(t, "remove") {
		f.log = slices.Delete(f.log, i, i+1)
		return key
	}
	f.log[i].Event = altered(t, &f.log[i])
	return key
}

// keyOf returns the key of the payment that a record is about.
func keyOf(r *stream.Record) payment.Key {
	if key, ok := strings.CutPrefix(r.Stream, payment.Prefix); ok {
		return payment.Key(key)
	}
	if strings.HasPrefix(r.Stream, resource.Prefix) {
		switch e, _ := resource.Decode(r); e := e.(type) {
		case *resource.Credited:
			return payment.Key(e.Payment)
		case *resource.Reversed:
			return payment.Key(e.Payment)
		}
	}
	return ""
}

// altered returns the event with something else in it.
func altered(t *rapid.T, r *stream.Record) stream.Event {
	if strings.HasPrefix(r.Stream, resource.Prefix) {
		switch e, _ := resource.Decode(r); e := e.(type) {
		case *resource.Credited:
			e.Amount++
			return stream.Encode(e)
		case *resource.Reversed:
			e.Payment += "-0"
			return stream.Encode(e)
		}
	}
	e, err := payment.Decode(r)
	if err != nil {
		t.Fatal(err)
	}
	switch e := e.(type) {
	case *payment.Seen:
		e.Address += "x"
	case *payment.Confirmed:
		e.Block = "feed"
	case *payment.Settled:
		if rapid.Bool().Draw(t, "node") {
			e.Node = other
		} else {
			e.Amount++
		}
	case *payment.Credited:
		e.Resource = "nobody"
	case *payment.Unallocated:
		return stream.Encode(&payment.Expired{At: e.At, Reason: "canceled"})
	default:
		t.Fatalf("%T is not altered", e)
	}
	return stream.Encode(e)
}
