package lnd_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/lnd"
	"sandglass/domain/billing"
	"sandglass/domain/chain"
	"sandglass/domain/chain/find"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/watch"
	"sandglass/testutil/devnet"

	"github.com/lightningnetwork/lnd/lnrpc"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// onChain is a client of a real lnd, which has to end with nothing running.
func onChain(t *testing.T) (*devnet.Network, *lnd.Client) {
	t.Helper()
	net := devnet.Shared(t)
	return net, dialed(t, realNode{net}.config())
}

func dialed(t *testing.T, c lnd.Config) *lnd.Client {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	client := must(lnd.Dial(c))(t)
	t.Cleanup(func() { check(t, client.Close()) })
	return client
}

// of returns the outputs of a transaction, in their order.
func of(txid string, all []chain.Output) (some []chain.Output) {
	for _, o := range all {
		if o.Txid == txid {
			some = append(some, o)
		}
	}
	slices.SortFunc(some, func(a, b chain.Output) int { return int(a.Vout) - int(b.Vout) })
	return some
}

// awaitOutputs waits until a list has outputs of a transaction, or has none.
func awaitOutputs(t *testing.T, txid string, want bool, list func(context.Context) ([]chain.Output, error)) []chain.Output {
	t.Helper()
	var some []chain.Output
	check(t, devnet.Until(within(t), "outputs of "+txid, func(ctx context.Context) error {
		all, err := list(ctx)
		if some = of(txid, all); err == nil && (len(some) > 0) != want {
			err = fmt.Errorf("there are %d", len(some))
		}
		return err
	}))
	return some
}

func TestStatement19_TwoAddressesAreNotOne(t *testing.T) {
	net, client := onChain(t)
	first, second := must(client.NewAddress(within(t)))(t), must(client.NewAddress(within(t)))(t)
	if first.Address == second.Address {
		t.Fatalf("both are %+v", first)
	}
	tip := must(client.Tip(within(t)))(t)
	for _, a := range []billing.Address{first, second} {
		if !strings.HasPrefix(a.Address, "bcrt1q") || a.Node != net.Alice.Pubkey || a.Height != tip.Height {
			t.Errorf("it is %+v at height %d", a, tip.Height)
		}
	}
	check(t, net.Mine(within(t), 1))
	if third := must(client.NewAddress(within(t)))(t); third.Height != tip.Height+1 {
		t.Errorf("a block later it is %+v", third)
	}
}

// An output goes from the mempool to its block, and is the same to everybody who tells.
func TestOutputsOnTheirWay(t *testing.T) {
	net, client := onChain(t)
	addr := must(client.NewAddress(within(t)))(t)
	txid := must(net.Send(within(t), addr.Address, 30_000, 330))(t)
	waiting := awaitOutputs(t, txid, true, client.Mempool)
	if len(waiting) != 3 { // with the miner's change
		t.Fatalf("in the mempool: %+v", waiting)
	}
	for i, amount := range []money.Msat{30_000_000, 330_000} {
		o := waiting[i]
		if o.Vout != uint32(i) || o.Address != addr.Address || o.Amount != amount ||
			o.Height != 0 || o.Block != "" || len(o.Spends) == 0 {
			t.Errorf("in the mempool: %+v", o)
		}
	}
	if all := must(client.Outputs(within(t), 0, addr.Height+100))(t); len(of(txid, all)) > 0 {
		t.Errorf("before it is in a block it is in %+v", of(txid, all))
	}

	check(t, net.Mine(within(t), 1))
	tip := must(client.Tip(within(t)))(t)
	if tip.Height != addr.Height+1 {
		t.Fatalf("the tip is %+v", tip)
	}
	mined := awaitOutputs(t, txid, true, func(ctx context.Context) ([]chain.Output, error) {
		return client.Outputs(ctx, tip.Height, tip.Height)
	})
	for i, want := range waiting {
		want.Height, want.Block = tip.Height, tip.Hash
		if !same(mined[i], want) {
			t.Errorf("in a block it is %+v, want %+v", mined[i], want)
		}
	}
	if left := of(txid, must(client.Mempool(within(t)))(t)); len(left) > 0 {
		t.Errorf("the mempool still has %+v", left)
	}

	block := must(client.Block(within(t), tip.Hash))(t)
	told := of(txid, block.Outputs)
	for i, want := range mined {
		if want.IsDeposit() != (i < 2) {
			t.Errorf("somebody paid us twice, and has the change: %+v", want)
		}
		want.Height, want.Ours = 0, false
		if !same(told[i], want) {
			t.Errorf("the block has %+v, want %+v", told[i], want)
		}
		for _, s := range want.Spends {
			if !slices.Contains(block.Spends, s) {
				t.Errorf("the block spends %v, without %s", block.Spends, s)
			}
		}
	}
	if old := now().Sub(block.Time); len(block.Outputs) <= len(told) || old > 3*instant.Hour || old < -3*instant.Hour {
		t.Errorf("%d outputs, made %d ms ago", len(block.Outputs), old)
	}
}

func same(a, b chain.Output) bool {
	as, bs := a.Spends, b.Spends
	a.Spends, b.Spends = nil, nil
	return fmt.Sprint(a) == fmt.Sprint(b) && slices.Equal(as, bs)
}

func TestOutputsOfNoHeights(t *testing.T) {
	_, client := onChain(t)
	tip := must(client.Tip(within(t)))(t)
	for _, r := range [][2]int64{{0, 0}, {5, 4}, {-3, -1}, {tip.Height + 1, tip.Height + 9}, {1 << 33, 1 << 34}} {
		if all, err := client.Outputs(within(t), r[0], r[1]); err != nil || len(all) > 0 {
			t.Errorf("in %v there are %d outputs, %v", r, len(all), err)
		}
	}
	all := must(client.Outputs(within(t), -5, 1<<40))(t)
	for _, o := range all {
		if o.Height < 1 || o.Height > tip.Height || o.Block == "" {
			t.Errorf("it is %+v", o)
		}
	}
}

func TestBlockHash(t *testing.T) {
	_, client := onChain(t)
	ctx := within(t)
	tip := must(client.Tip(ctx))(t)
	for _, c := range []struct {
		height int64
		want   string
	}{
		{0, "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"},
		{tip.Height, tip.Hash}, {tip.Height + 1, ""}, {1 << 31, ""}, {1 << 32, ""}, {1<<32 + 1, ""},
	} {
		if got, err := client.BlockHash(ctx, c.height); err != nil || got != c.want {
			t.Errorf("at height %d: %q, %v", c.height, got, err)
		}
	}
	for what, err := range map[string]error{
		"a negative height":    second(client.BlockHash(ctx, -1)),
		"a block nobody knows": second(client.Block(ctx, strings.Repeat("0", 64))),
		"what is no hash":      second(client.Block(ctx, "00")),
		"a hash in capitals":   second(client.Block(ctx, strings.Repeat("A", 64))),
	} {
		if _, ok := errors.AsType[*watch.Trouble](err); err == nil || ok {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// wakes runs News until the test ends, and says when it ended.
func wakes(t *testing.T, ctx context.Context, client *lnd.Client) (<-chan chain.News, <-chan error) {
	t.Helper()
	news, ended := make(chan chain.News), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for n, err := range client.News(ctx) {
			if err != nil {
				ended <- err
				return
			}
			select {
			case news <- n:
			case <-ctx.Done():
			}
		}
		close(ended)
	}()
	return news, ended
}

func awaitNews(t *testing.T, news <-chan chain.News, block bool) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case n := <-news:
			if n.Block == block {
				return
			}
		case <-late:
			t.Fatalf("no news with block=%t", block)
		}
	}
}

func awaitEnd(t *testing.T, news <-chan chain.News, ended <-chan error) error {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case <-news: // of before
		case err := <-ended:
			return err
		case <-late:
			t.Fatal("it does not end")
		}
	}
}

func TestNews(t *testing.T) {
	net, client := onChain(t)
	news, ended := wakes(t, t.Context(), client)
	awaitNews(t, news, true) // the tip
	must(net.Send(within(t), must(client.NewAddress(within(t)))(t).Address, 5_000))(t)
	awaitNews(t, news, false)
	check(t, net.Mine(within(t), 1))
	awaitNews(t, news, true)

	check(t, net.Alice.Kill())
	if trouble, ok := errors.AsType[*watch.Trouble](awaitEnd(t, news, ended)); !ok || trouble.Condition != watch.Connecting {
		t.Errorf("it ends with %v", trouble)
	}
	if _, err := client.Tip(t.Context()); err == nil {
		t.Error("a dead lnd tells its tip")
	}
}

// It ends when its consumer stops, even one that takes nothing while much comes, and
// when ctx does: then without an error. That nothing is left, goleak sees.
func TestNewsEnds(t *testing.T) {
	net, client := onChain(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range client.News(ctx) {
		check(t, err)
		if n++; n == 1 {
			check(t, net.Mine(within(t), 3))
			continue
		}
		break
	}
	for _, err := range client.News(ctx) {
		check(t, err)
		cancel()
	}
	for _, err := range client.News(ctx) {
		t.Errorf("after the end it tells of %v", err)
	}
}

// Each call that is not allowed says which right is missing.
func TestDeniedOnTheChain(t *testing.T) {
	net := devnet.Shared(t)
	c := realNode{net}.config()
	c.WatchMacaroon = must(net.Alice.BakeMacaroon(within(t), 201,
		"/lnrpc.Lightning/GetInfo", "/chainrpc.ChainNotifier/RegisterBlockEpochNtfn"))(t)
	client := dialed(t, c)
	must(client.Check(within(t)))(t)
	ctx := within(t)
	for method, err := range map[string]error{
		"GetBestBlock":          second(client.Tip(ctx)),
		"GetBlockHash":          second(client.BlockHash(ctx, 1)),
		"GetBlock":              second(client.Block(ctx, strings.Repeat("0", 64))),
		"GetTransactions":       second(client.Mempool(ctx)),
		"SubscribeTransactions": firstError(ctx, client),
	} {
		denied(t, err, method, "SANDGLASS_LND_WATCH_MACAROON")
	}
	denied(t, second(client.Outputs(ctx, 1, 5)), "GetTransactions", "SANDGLASS_LND_WATCH_MACAROON")

	c.WatchMacaroon = must(net.Alice.BakeMacaroon(ctx, 201, "/lnrpc.Lightning/SubscribeTransactions"))(t)
	denied(t, firstError(ctx, dialed(t, c)), "RegisterBlockEpochNtfn", "SANDGLASS_LND_WATCH_MACAROON")

	c.WatchMacaroon = net.WatchMacaroon
	c.IssueMacaroon = must(net.Alice.BakeMacaroon(ctx, 201, "/lnrpc.Lightning/AddInvoice"))(t)
	denied(t, second(dialed(t, c).NewAddress(ctx)), "NewAddress", "SANDGLASS_LND_ISSUE_MACAROON")
	c.IssueMacaroon = ""
	if _, err := dialed(t, c).NewAddress(ctx); err == nil || !strings.Contains(err.Error(), "SANDGLASS_LND_ISSUE_MACAROON") {
		t.Errorf("without a macaroon that issues: %v", err)
	}
	check(t, net.Alice.DeleteMacaroonID(ctx, 201))
}

func firstError(ctx context.Context, client *lnd.Client) error {
	for _, err := range client.News(ctx) {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func denied(t *testing.T, err error, method, setting string) {
	t.Helper()
	trouble, ok := errors.AsType[*watch.Trouble](err)
	if !ok || trouble.Condition != watch.Denied {
		t.Errorf("%s: %v", method, err)
		return
	}
	for _, part := range []string{"/" + method + " ", setting, "SANDGLASS_ON_CHAIN=false"} {
		if !strings.Contains(trouble.Advice, part) {
			t.Errorf("%s: the advice is %q, without %q", method, trouble.Advice, part)
		}
	}
}

// The macaroon that is baked for the daemon has each right that is needed, and those
// that lnd itself bakes have them too.
func TestLndsOwnMacaroonsDo(t *testing.T) {
	net := devnet.Shared(t)
	c := realNode{net}.config()
	c.WatchMacaroon, c.IssueMacaroon = net.Alice.ReadonlyMacaroon, net.Alice.InvoiceMacaroon
	client := dialed(t, c)
	must(client.NewAddress(within(t)))(t)
	must(client.Mempool(within(t)))(t)
	must(client.Block(within(t), must(client.Tip(within(t)))(t).Hash))(t)
	for _, err := range client.News(within(t)) {
		check(t, err)
		break
	}
}

// While the chain's node is away lnd hangs: it is told from an lnd that is away itself.
func TestChainIsAway(t *testing.T) {
	f := newFake(t)
	client := must(lnd.Dial(quick(configOf(f))))(t)
	defer client.Close()
	for _, method := range []string{"GetInfo", "GetBestBlock", "NewAddress"} {
		f.Hang(method, true)
		_, err := client.NewAddress(t.Context())
		trouble, ok := errors.AsType[*watch.Trouble](err)
		if !ok || trouble.Condition != watch.Syncing || !strings.Contains(trouble.Advice, "bitcoind") {
			t.Errorf("while %s hangs: %v", method, err)
		}
		hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = client.NewAddress(hurried)
		cancel()
		trouble, ok = errors.AsType[*watch.Trouble](err)
		if !ok || trouble.Condition != watch.Connecting || !strings.Contains(trouble.Advice, "bitcoind") {
			t.Errorf("while %s hangs, with no time: %v", method, err)
		}
		f.Hang(method, false)
	}
	f.SetState(lnrpc.WalletState_LOCKED)
	_, err := client.Tip(t.Context())
	if trouble, ok := errors.AsType[*watch.Trouble](err); !ok || trouble.Condition != watch.Locked {
		t.Errorf("while the wallet is locked: %v", err)
	}
	f.SetState(lnrpc.WalletState_SERVER_ACTIVE)
	f.Stall(true)
	_, err = client.Tip(t.Context())
	if trouble, ok := errors.AsType[*watch.Trouble](err); !ok || trouble.Condition != watch.Connecting {
		t.Errorf("while nothing comes: %v", err)
	}
	f.Stall(false)
}

// A question that lnd has no answer to is no trouble of the node: another one may have.
func TestOneRangeThatFails(t *testing.T) {
	f := newFake(t)
	client := must(lnd.Dial(configOf(f)))(t)
	defer client.Close()
	f.Fail("GetTransactions", errors.New("missing transaction 00 for block 453"))
	_, err := client.Outputs(t.Context(), 1, 500)
	if _, ok := errors.AsType[*watch.Trouble](err); err == nil || ok {
		t.Errorf("it is %v", err)
	}
	// So answers an lnd that was built without it.
	f.Fail("RegisterBlockEpochNtfn", status.Error(codes.Unimplemented, "unknown service chainrpc.ChainNotifier"))
	err = firstError(t.Context(), client)
	trouble, ok := errors.AsType[*watch.Trouble](err)
	if !ok || trouble.Condition != watch.Denied || !strings.Contains(trouble.Advice, "chainrpc") {
		t.Errorf("without chainrpc: %v", err)
	}
}

// The streams may end cleanly, and calls lose their answers: neither passes for an answer.
func TestChainComesBack(t *testing.T) {
	f := newFake(t)
	client := must(lnd.Dial(configOf(f)))(t)
	defer client.Close()
	for range 2 {
		heard := false
		for n, err := range client.News(t.Context()) {
			if err == nil && n.Block {
				heard = true
				f.EndStreams()
				continue
			}
			if trouble, ok := errors.AsType[*watch.Trouble](err); !ok || trouble.Condition != watch.Connecting {
				t.Errorf("it ends with %v", err)
			}
		}
		if !heard {
			t.Error("it ended without the tip")
		}
	}
	for method, call := range map[string]func(context.Context) error{
		"GetBestBlock":    func(ctx context.Context) error { return second(client.Tip(ctx)) },
		"GetBlockHash":    func(ctx context.Context) error { return second(client.BlockHash(ctx, 0)) },
		"NewAddress":      func(ctx context.Context) error { return second(client.NewAddress(ctx)) },
		"GetTransactions": func(ctx context.Context) error { return second(client.Mempool(ctx)) },
	} {
		f.LoseAnswers(method, 1)
		if err := call(t.Context()); err == nil {
			t.Errorf("%s: no error without an answer", method)
		}
		check(t, call(t.Context()))
	}
}

// An address that the log does not know is found where the chain paid it first, and another's
// is refused.
func TestFindAddress(t *testing.T) {
	net, client := onChain(t)
	addr := must(client.NewAddress(within(t)))(t)
	unpaid := must(client.FindAddress(within(t), addr.Address))(t)
	if unpaid != addr {
		t.Errorf("before it is paid it is %+v, and was issued as %+v", unpaid, addr)
	}
	txid := must(net.Send(within(t), addr.Address, 30_000))(t)
	check(t, net.Mine(within(t), 3))
	mined := awaitOutputs(t, txid, true, func(ctx context.Context) ([]chain.Output, error) {
		return client.Outputs(ctx, addr.Height, addr.Height+3)
	})
	found := must(client.FindAddress(within(t), addr.Address))(t)
	if want := (billing.Address{Address: addr.Address, Node: addr.Node, Height: mined[0].Height}); found != want {
		t.Errorf("it is %+v, want %+v", found, want)
	}
	if _, err := client.FindAddress(within(t), mined[1].Address); !errors.Is(err, find.ErrNotOurs) {
		t.Errorf("the miner's change: %v", err)
	}
	for _, none := range []string{"", "web-1", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", strings.ToUpper(addr.Address)} {
		if _, err := client.FindAddress(within(t), none); !errors.Is(err, billing.ErrInvalid) {
			t.Errorf("%q: %v", none, err)
		}
	}
}
