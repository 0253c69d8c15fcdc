package lnd

import (
	"bytes"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"sandglass/domain/chain"
	"sandglass/domain/instant"
	"sandglass/domain/money"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"
	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/protobuf/proto"
)

var (
	regtest = &chaincfg.RegressionNetParams
	ours    = unhex("0014751e76e8199196d454941c45d1b3a323f1433bd6") // BIP 173's first example
)

func unhex(s string) []byte {
	raw, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return raw
}

// sample is a block with a coinbase and a payment.
func sample(values ...int64) *wire.MsgBlock {
	b := wire.NewMsgBlock(&wire.BlockHeader{Timestamp: time.Unix(1_700_000_000, 0)})
	first := wire.NewMsgTx(2)
	first.AddTxIn(wire.NewTxIn(&coinbase, []byte{1, 2}, nil))
	first.AddTxOut(wire.NewTxOut(50, ours))
	pays := wire.NewMsgTx(2)
	pays.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: first.TxHash(), Index: 7}, nil, wire.TxWitness{{1}}))
	for _, v := range values {
		pays.AddTxOut(wire.NewTxOut(v, ours))
	}
	pays.AddTxOut(wire.NewTxOut(0, []byte{0x6a, 1, 2}))
	b.Transactions = []*wire.MsgTx{first, pays}
	return b
}

func rawOf(t testing.TB, b *wire.MsgBlock) []byte {
	var raw bytes.Buffer
	if err := b.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	return raw.Bytes()
}

func TestReadBlock(t *testing.T) {
	b := sample(3, 4)
	hash := b.BlockHash().String()
	got, err := readBlock(rawOf(t, b), hash, regtest)
	if err != nil {
		t.Fatal(err)
	}
	const addr = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
	spent := b.Transactions[0].TxHash().String() + ":7"
	if got.Time != instant.Time(1_700_000_000_000) || !slices.Equal(got.Spends, []string{spent}) || len(got.Outputs) != 4 {
		t.Fatalf("it is %+v", got)
	}
	for i, want := range []struct {
		tx     int
		vout   uint32
		addr   string
		amount money.Msat
		spends []string
	}{
		{0, 0, addr, 50_000, nil},
		{1, 0, addr, 3_000, []string{spent}},
		{1, 1, addr, 4_000, []string{spent}},
		{1, 2, "", 0, []string{spent}},
	} {
		o := got.Outputs[i]
		if o.Txid != b.Transactions[want.tx].TxHash().String() || o.Vout != want.vout ||
			o.Address != want.addr || o.Amount != want.amount ||
			o.Height != 0 || o.Block != hash || !slices.Equal(o.Spends, want.spends) {
			t.Errorf("output %d is %+v", i, o)
		}
	}
}

func TestReadBlockRefuses(t *testing.T) {
	b := sample(3)
	hash := b.BlockHash().String()
	raw := rawOf(t, b)
	other := sample(3)
	other.Header.Nonce++
	empty := wire.NewMsgBlock(&b.Header)
	for _, bad := range []struct {
		name string
		raw  []byte
	}{
		{"nothing", nil},
		{"half a block", raw[:len(raw)/2]},
		{"a byte more", append(bytes.Clone(raw), 0)},
		{"another block", rawOf(t, other)},
		{"no transaction", rawOf(t, empty)},
		{"a negative amount", rawOf(t, sample(-1))},
		{"more than there is", rawOf(t, sample(math.MaxInt64))},
		{"an absurd size", make([]byte, wire.MaxBlockPayload+1)},
	} {
		if got, err := readBlock(bad.raw, hash, regtest); err == nil || len(got.Outputs) > 0 {
			t.Errorf("%s is read as %+v", bad.name, got)
		}
	}
}

func FuzzReadBlock(f *testing.F) {
	f.Add(rawOf(f, sample(3, 4)))
	f.Add(rawOf(f, sample(-1)))
	f.Add(rawOf(f, wire.NewMsgBlock(&wire.BlockHeader{})))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		hash := strings.Repeat("0", 64)
		var header wire.BlockHeader // so that the fuzzer gets past the hash
		if header.Deserialize(bytes.NewReader(raw)) == nil {
			hash = header.BlockHash().String()
		}
		b, err := readBlock(raw, hash, regtest)
		if err != nil {
			return
		}
		// An output needs nine bytes, an input 41.
		if len(b.Outputs) > len(raw)/9 || len(b.Spends) > len(raw)/41 {
			t.Fatalf("%d bytes hold %d outputs and %d spends", len(raw), len(b.Outputs), len(b.Spends))
		}
		allSound(t, b.Outputs)
	})
}

type tester interface{ Fatalf(string, ...any) }

// allSound is what holds for every output, however odd its source.
func allSound(t tester, all []chain.Output) {
	for _, o := range all {
		_, err := hashBytes(o.Txid)
		if err != nil || o.Amount.Check() != nil || o.Amount%money.Sat != 0 || o.Height < 0 {
			t.Fatalf("an output is %+v", o)
		}
		for _, s := range o.Spends {
			if point, err := wire.NewOutPointFromString(s); err != nil || point.String() != s || *point == coinbase {
				t.Fatalf("it spends %q", s)
			}
		}
	}
}

func TestCheckAddress(t *testing.T) {
	for _, c := range []struct {
		addr   string
		params *chaincfg.Params
		ok     bool
	}{
		{"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", regtest, true},
		{"BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080", regtest, false},
		{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", &chaincfg.MainNetParams, true},
		{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", regtest, false},
		{"tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", networks["testnet4"], true},
		{"tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", networks["signet"], true},
		{"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", &chaincfg.MainNetParams, true},
		{"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt081", regtest, false},
		{"", regtest, false},
	} {
		if err := checkAddress(c.addr, c.params); (err == nil) != c.ok {
			t.Errorf("%q on %s: %v", c.addr, c.params.Name, err)
		}
	}
}

// Both sources of an address are one: what a payer is shown is what a block tells.
func TestAddressesAreWrittenOneWay(t *testing.T) {
	for name, params := range networks {
		if addr := addressOf(ours, params); checkAddress(addr, params) != nil {
			t.Errorf("on %s it is %q", name, addr)
		}
	}
}

// mined is a transaction as lnd lists it, which change makes odd.
func mined(change func(*lnrpc.Transaction)) *lnrpc.Transaction {
	tx := &lnrpc.Transaction{
		TxHash: strings.Repeat("ab", 32), Amount: -5, NumConfirmations: 3, BlockHash: strings.Repeat("cd", 32), BlockHeight: 7,
		OutputDetails: []*lnrpc.OutputDetail{
			{OutputIndex: 0, Amount: 5, Address: "a"},
			{OutputIndex: 1, Amount: 6, Address: "b", IsOurAddress: true},
		},
		PreviousOutpoints: []*lnrpc.PreviousOutPoint{
			{Outpoint: coinbase.String()},
			{Outpoint: strings.Repeat("ef", 32) + ":1"},
		},
	}
	change(tx)
	return tx
}

func TestListed(t *testing.T) {
	all, err := listed(mined(func(*lnrpc.Transaction) {}))
	if err != nil || len(all) != 2 {
		t.Fatalf("it is %+v, %v", all, err)
	}
	o := all[1]
	if o.Vout != 1 || o.Amount != 6_000 || o.Address != "b" || o.Height != 7 || o.Block != strings.Repeat("cd", 32) ||
		!slices.Equal(o.Spends, []string{strings.Repeat("ef", 32) + ":1"}) {
		t.Errorf("it is %+v", o)
	}
	if !o.IsDeposit() || all[0].IsDeposit() {
		t.Errorf("somebody paid the wallet: %+v", all)
	}
	for name, change := range map[string]func(*lnrpc.Transaction){
		"its own coins":          func(tx *lnrpc.Transaction) { tx.PreviousOutpoints[1].IsOurOutput = true },
		"a closed channel":       func(tx *lnrpc.Transaction) { tx.Label = "0:closechannel:shortchanid-1" },
		"nothing for the wallet": func(tx *lnrpc.Transaction) { tx.OutputDetails[1].IsOurAddress = false },
	} {
		if all, err := listed(mined(change)); err != nil || all[1].IsDeposit() {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
	for name, change := range map[string]func(*lnrpc.Transaction){
		"a short txid":               func(tx *lnrpc.Transaction) { tx.TxHash = "abcd" },
		"a txid in upper case":       func(tx *lnrpc.Transaction) { tx.TxHash = strings.ToUpper(tx.TxHash) },
		"no txid":                    func(tx *lnrpc.Transaction) { tx.TxHash = "" },
		"a height without a block":   func(tx *lnrpc.Transaction) { tx.BlockHash = "" },
		"a block without a height":   func(tx *lnrpc.Transaction) { tx.BlockHeight = 0 },
		"a negative height":          func(tx *lnrpc.Transaction) { tx.BlockHeight = -1 },
		"a block that is none":       func(tx *lnrpc.Transaction) { tx.BlockHash = "zz" },
		"a negative amount":          func(tx *lnrpc.Transaction) { tx.OutputDetails[1].Amount = -1 },
		"an amount beyond all":       func(tx *lnrpc.Transaction) { tx.OutputDetails[1].Amount = math.MaxInt64 },
		"a negative index":           func(tx *lnrpc.Transaction) { tx.OutputDetails[0].OutputIndex = -1 },
		"an index twice":             func(tx *lnrpc.Transaction) { tx.OutputDetails[1].OutputIndex = 0 },
		"an index beyond 32 bits":    func(tx *lnrpc.Transaction) { tx.OutputDetails[1].OutputIndex = 1 << 32 },
		"an outpoint that is none":   func(tx *lnrpc.Transaction) { tx.PreviousOutpoints[1].Outpoint = "ab:1" },
		"an outpoint without a txid": func(tx *lnrpc.Transaction) { tx.PreviousOutpoints[1] = nil },
	} {
		if all, err := listed(mined(change)); err == nil {
			t.Errorf("%s is read as %+v", name, all)
		}
	}
}

func FuzzListed(f *testing.F) {
	raw, err := proto.Marshal(mined(func(*lnrpc.Transaction) {}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var tx lnrpc.Transaction
		if proto.Unmarshal(raw, &tx) != nil {
			return
		}
		if all, err := listed(&tx); err == nil {
			allSound(t, all)
		}
	})
}

func TestCut(t *testing.T) {
	if got := cut("aä", 2); got != "a" {
		t.Errorf("cut to %q", got)
	}
}
