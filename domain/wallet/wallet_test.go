package wallet_test

import (
	"testing"

	"sandglass/domain/wallet"
	"sandglass/testutil/given"
	"sandglass/testutil/golden"
)

var (
	adopted = &wallet.Adopted{At: wallet.At{At: 100}, Epoch: 1, Network: "regtest", Settle: 7, Add: 9, Reason: wallet.FirstStart}
	rebuilt = &wallet.Adopted{At: wallet.At{At: 300}, Epoch: 2, Network: "regtest", Reason: wallet.Rebuilt}
	swept   = &wallet.Swept{At: wallet.At{At: 200}, Settle: 12, Add: 20}
)

func sweep(epoch, settle, add int64) wallet.Sweep {
	return wallet.Sweep{Epoch: epoch, At: 200, Settle: settle, Add: add}
}

// adopt is the command that e follows from.
func adopt(e *wallet.Adopted) wallet.Adopt {
	return wallet.Adopt{At: e.At.At, Epoch: e.Epoch, Network: e.Network, Settle: e.Settle, Add: e.Add, Reason: e.Reason}
}

func TestDecide(t *testing.T) {
	type events = []wallet.Event
	gap := *rebuilt
	gap.Epoch = 3
	bad := *adopted
	bad.Settle = -1
	stream := given.Of(wallet.Aggregate(), "02aa")
	stream.Check(t, "a node is adopted", nil, adopt(adopted), events{adopted}, nil)
	stream.Check(t, "twice is once", events{adopted}, adopt(adopted), nil, nil)
	stream.Check(t, "its indices begin again", events{adopted, swept}, adopt(rebuilt), events{rebuilt}, nil)
	stream.Check(t, "an older epoch is over", events{adopted, rebuilt}, adopt(adopted), nil, nil)
	stream.Check(t, "an epoch is left out", events{adopted}, adopt(&gap), nil, wallet.ErrInvalid)
	stream.Check(t, "a negative index", nil, adopt(&bad), nil, wallet.ErrInvalid)
	stream.Check(t, "the cursor moves on", events{adopted}, sweep(1, 12, 20), events{swept}, nil)
	stream.Check(t, "it stands", events{adopted, swept}, sweep(1, 12, 20), nil, nil)
	stream.Check(t, "it never moves back", events{adopted, swept}, sweep(1, 5, 5), nil, nil)
	stream.Check(t, "a sweep of an epoch that is over", events{adopted, rebuilt}, sweep(1, 12, 20), nil, wallet.ErrEpoch)
	stream.Check(t, "a node that nobody adopted", nil, sweep(1, 12, 20), nil, wallet.ErrUnknown)
	stream.Check(t, "a negative cursor", events{adopted}, sweep(1, -1, 20), nil, wallet.ErrInvalid)
}

func TestAnEpochBeginsAnew(t *testing.T) {
	s := wallet.New("02aa")
	for _, e := range []wallet.Event{adopted, swept, rebuilt} {
		s = wallet.Evolve(s, e)
	}
	if s.Epoch != 2 || s.Settle != 0 || s.Add != 0 || s.History != 0 || s.Since != 100 || s.Began != 300 {
		t.Errorf("got %+v", s)
	}
}

func TestGoldenFiles(t *testing.T) {
	c := golden.Codec[wallet.Event]{Decode: wallet.Decode}
	c.Check(t, adopted, swept)
	c.Refuses(t, "wallet.swept.v2", "{}")
}
