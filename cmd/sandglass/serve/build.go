package serve

import (
	"context"
	"crypto/rand"
	"time"

	"sandglass/adapters/clock"
	"sandglass/adapters/httpapi"
	"sandglass/adapters/lnd"
	"sandglass/adapters/paramfiles"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/serve/holding"
	"sandglass/cmd/sandglass/serve/host"
	"sandglass/cmd/sandglass/serve/programs"
	"sandglass/cmd/sandglass/serve/proving"
	"sandglass/cmd/sandglass/serve/signer"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/address"
	"sandglass/domain/billing"
	"sandglass/domain/billing/params"
	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/lightning"
	"sandglass/domain/meter"
	"sandglass/domain/money"
	"sandglass/domain/opening"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/projections"

	"github.com/rs/zerolog"
)

// components are the parts of the daemon.
type components struct {
	config.Config
	log      zerolog.Logger
	store    *fenced
	lnd      *lnd.Client
	views    *projections.Views
	requests *request.Set
	opening  *opening.Rule
	kept     storeurl.Requests // of which that is the fold
	signer   request.Signer
	counts   *counts
	clock    *clock.Clock
	watcher  *lightning.Watcher
	holding  *holding.Holder
	params   *params.Service
	billing  *billing.Service
	chain    *chain.Watcher
	sweeps   *meter.Sweeps
	woken    chan struct{} // the meter
	meter    *meter.Meter
	proving  *proving.Proving
	api      *httpapi.Server
	programs *programs.Programs

	enforcing *host.Host
}

// build makes the components, each from those before it. They start in [run].
func build(
	ctx context.Context, c config.Config, log zerolog.Logger, counts *counts, own *clock.Clock,
	store storeurl.Store, requests storeurl.Requests, node *lnd.Client,
) (d *components, err error) {
	views := projections.NewFor(c.Host, instant.OfDuration(c.SettleEvery))
	d = &components{
		Config: c,
		log:    log,
		store:  newFenced(store, views.CaughtUp()),
		lnd:    node,
		views:  views,
		kept:   requests,
		counts: counts,
		clock:  own,
		woken:  make(chan struct{}, 1),
	}
	if err := d.loadSnapshot(); err != nil {
		return nil, err
	}
	if d.signer, err = signer.Load(c.StateDir); err != nil {
		return nil, err
	}
	if c.InvoiceCheckpoint {
		d.signer.Log = func() string { return d.proving.Said() }
	}
	d.requests = request.New(request.Options{
		Store: requests, Now: own.Now, Most: 2 * c.MaxAwaiting, Failed: d.counts.requestsFailed, Shown: views.WaitFor,
	})
	d.opening = &opening.Rule{
		Requests:  d.requests,
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: d.store, Warm: d.views.Resource},
		Least:     d.least,
		Log:       d.views,
		Head:      d.store.Head,
	}
	booker := d.newBooker()
	d.holding = holding.New(holding.Config{
		Wallet: d.lnd, Node: func() string { return d.watcher.Health().Node }, Booker: booker, Requests: d.requests, Signer: d.signer,
		Views: d.views, Begun: d.clock.Begun(), Observer: d.counts.of(partWallet), AtOnce: d.MaxHeld, PerHour: d.MaxHeldPerHour,
	})
	if d.watcher, err = d.newWatcher(booker); err != nil {
		return nil, err
	}
	if d.params, err = d.newParams(booker); err != nil {
		return nil, err
	}
	d.billing = d.newBilling(booker)
	if d.chain, err = d.newChainWatcher(booker); err != nil {
		return nil, err
	}
	d.billing.Adopted, d.billing.Deposits, d.opening.Unlogged = d.chain.Nudge, d.chain, d.chain.Unlogged
	d.sweeps = d.newSweeps()
	d.enforcing = d.newHost(booker)
	d.meter = d.newMeter(booker)
	d.billing.Reports = d.enforcing.HasKeeper
	d.proving, err = proving.New(ctx, proving.Options{
		Config: &d.Config, Store: d.store, Folded: views.CaughtUp(), Now: own.Now, Log: log,
	})
	if err != nil {
		return nil, err
	}
	d.api, err = d.newAPI()
	return d, err
}

// What is mended at the wallet should not wait long for us.
var retry = watch.Retry{Max: 5 * time.Second, Denied: 10 * time.Second}

func (d *components) newBooker() *payment.Booker {
	return &payment.Booker{
		Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: d.store},
		Resources: d.opening.Resources,
		Refuses:   d.opening.Refuses,
		Now:       d.clock.Now,
		Gap:       resource.When{MaxGap: instant.OfDuration(d.MaxGap), Forgive: d.GapPolicy == "forgive"},
	}
}

func (d *components) newWatcher(booker *payment.Booker) (*lightning.Watcher, error) {
	return lightning.New(lightning.Config{
		Wallet:     d.lnd,
		Wallets:    &wallet.Handler{Aggregate: wallet.Aggregate(), Store: d.store},
		Booker:     booker,
		Waiting:    d.waiting,
		Requests:   d.requests,
		Signer:     d.signer,
		Late:       d.late(),
		Opening:    d.opening,
		SweptChain: func(node string, now instant.Time) instant.Time { return d.chain.SweptTo(node, now) },
		Doubted:    func() bool { return d.clock.Doubt().Reason != "" },
		Held:       d.holding.Loop.Held,
		Observer:   d.counts.of(partWallet),
		Now:        d.clock.Now,
		SweepEvery: d.SweepEvery,
		Retry:      retry,
	})
}

func (d *components) newChainWatcher(booker *payment.Booker) (*chain.Watcher, error) {
	return chain.New(chain.Config{
		Wallet:      d.lnd,
		Booker:      booker,
		Issued:      d.views.Issued,
		Lowest:      d.views.LowestIssue,
		IssuedAfter: d.views.IssuedAfter,
		OnlyIssued:  !d.OnChain,
		Requests:    d.requests,
		Addresses:   &address.Handler{Aggregate: address.Aggregate(), Store: d.store},
		Waiting:     d.deposits,
		Required:    d.billing.Required,
		Opening:     d.opening,
		Observer:    d.counts.of(partChain),
		Now:         d.clock.Now,
		FinalDepth:  d.FinalDepth,
		SweepEvery:  d.SweepEvery,
		Retry:       retry,
	})
}

func (d *components) newBilling(booker *payment.Booker) *billing.Service {
	var deposits billing.Chain // nil if they are off
	if d.OnChain {
		deposits = d.lnd
	}
	return &billing.Service{
		Plans:         &plan.Handler{Aggregate: plan.Aggregate(), Store: d.store},
		Resources:     booker.Resources,
		Booker:        booker,
		Opening:       d.opening,
		Wallet:        d.lnd,
		Chain:         deposits,
		Addresses:     &address.Handler{Aggregate: address.Aggregate(), Store: d.store},
		Wallets:       &wallet.Handler{Aggregate: wallet.Aggregate(), Store: d.store},
		Finder:        d.lnd, // also if they are off: what was given out is watched
		AddressFailed: d.counts.addressFailed,
		Views:         d.views,
		Requests:      d.requests,
		Signer:        d.signer,
		Holding:       d.holding,
		Node:          func() string { return d.watcher.Health().Node },
		Params:        d.params,
		Host:          d.Host,
		Now:           d.clock.Now,
		Random:        rand.Reader,
		Gap:           booker.Gap,
		Swept:         d.watcher.Swept(),
		Writable:      d.writable,
		Confirmations: d.Confirmations,
		Limits: billing.Limits{
			OpenPerResource: d.MaxOpenPer,
			Open:            d.MaxOpenInvoices,
			Awaiting:        d.MaxAwaiting,
			Addresses:       d.MaxAddresses,
			Expiry:          instant.OfDuration(d.InvoiceExpiry),
		},
	}
}

// maxParams is how many bytes of parameters may be kept before no more orders have some.
const maxParams = 256 << 20

// newParams returns what keeps the parameters of the resources of this host.
func (d *components) newParams(booker *payment.Booker) (*params.Service, error) {
	files, err := paramfiles.Open(d.StateDir)
	return &params.Service{
		Store: files, Views: d.views, Requests: d.requests, Resources: booker.Resources, Host: d.Host, Random: rand.Reader,
		When:     func() resource.When { w := booker.Gap; w.At = d.clock.Now(); return w },
		MaxBytes: maxParams, Failed: d.counts.paramsFailed,
	}, err
}

// watchesChain reports whether there is something to watch on the chain: where payments on it
// are not taken any more, addresses that were given out before, be it to orders that nobody has paid.
func (d *components) watchesChain() bool {
	_, issued := d.views.LowestIssue()
	_, ordered := d.requests.LowestAddress()
	return d.OnChain || issued || ordered
}

// newMeter returns the meter, which begins once the log is folded and the wallet was read.
func (d *components) newMeter(booker *payment.Booker) *meter.Meter {
	return &meter.Meter{
		Resources: booker.Resources,
		Deadlines: d.views,
		Now:       d.clock.Now,
		Gap:       booker.Gap,
		Payable:   d.requests.CanBePaid,
		Ready:     []<-chan struct{}{d.views.CaughtUp(), d.watcher.Swept(), d.chain.Swept(), d.enforcing.Begun()},
		Known:     d.known,
		Woken:     d.woken,
		Pending:   d.chain.Pending,
		Failed:    d.counts.settleFailed,
		Settled:   d.counts.settled,
	}
}

// newHost returns what speaks with the keeper of this host.
func (d *components) newHost(booker *payment.Booker) *host.Host {
	return host.New(host.Options{
		RunDir:     d.RunDir,
		KeeperDir:  d.KeeperDir,
		Name:       d.Host,
		BlindGrace: d.BlindGrace,
		Views:      d.views,
		Resources:  booker.Resources,
		Clock:      d.clock,
		Wallet:     d.watcher.Health,
		Swept:      []<-chan struct{}{d.watcher.Swept(), d.chain.Swept()},
		Values:     d.params.Values,
		Log:        d.log,
		Failed:     func(err error) *zerolog.Event { return d.counts.failed(partEnforce, "", err) },
		Works:      func() { d.counts.works(partEnforce) },
	})
}

// late is how late the requests of other daemons may come: there are none on one machine.
func (d *components) late() instant.Millis {
	if !d.Log().Shared() {
		return 0
	}
	return instant.OfDuration(d.LateRequests)
}

// least is the least amount that buys at that price, where the payer chose it: what the plan sells.
func (d *components) least(plan string, price money.Price) money.Msat {
	p, _ := d.views.Plan(plan)
	least, err := price.CostOf(max(1, p.Min))
	if err != nil {
		return money.MaxMsat
	}
	return least
}

// waiting returns the Lightning payments that are not at their end.
func (d *components) waiting(context.Context) (list []lightning.Waiting, err error) {
	for _, p := range d.views.OpenPayments() {
		if !p.OnChain() {
			list = append(list, lightning.Waiting{Key: p.Key, Status: p.Status, Expiry: p.Expiry})
		}
	}
	return list, nil
}

// deposits returns the payments on the chain that are not at their end.
func (d *components) deposits() (list []payment.State) {
	for _, p := range d.views.OpenPayments() {
		if p.OnChain() {
			list = append(list, p)
		}
	}
	return list
}
