package wallet_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/wallet"
	"sandglass/testutil/given"
	"sandglass/testutil/golden"
)

var (
	adopted = &wallet.Adopted{At: wallet.At{At: 100}, Epoch: 1, Network: "regtest", Settle: 7, Add: 9, Reason: wallet.FirstStart}
	rebuilt = &wallet.Adopted{At: wallet.At{At: 300}, Epoch: 2, Network: "regtest", Reason: wallet.Rebuilt}
	swept   = &wallet.Swept{At: wallet.At{At: 200}, Settle: 12, Add: 20}

	retired  = &wallet.Retired{At: wallet.At{At: 400}}
	returned = &wallet.Returned{At: wallet.At{At: 500}}
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
	s := fold(adopted, swept, rebuilt)
	if s.Epoch != 2 || s.Settle != 0 || s.Add != 0 || s.History != 0 || s.Since != 100 || s.Began != 300 {
		t.Errorf("got %+v", s)
	}
}

func fold(events ...wallet.Event) wallet.State {
	s := wallet.New("02aa")
	for _, e := range events {
		s = wallet.Evolve(s, e)
	}
	return s
}

const hour = instant.Hour

// told is what a sweep at an instant says of the times of which it knows all, where the cursor
// stands still.
func told(at, invoices, chain instant.Time) *wallet.Swept {
	return &wallet.Swept{At: wallet.At{At: at}, Settle: 7, Add: 9, Invoices: invoices, Chain: chain}
}

func sweepAt(at, invoices, chain instant.Time) wallet.Sweep {
	return wallet.Sweep{At: at, Epoch: 1, Settle: 7, Add: 9, Invoices: invoices, Chain: chain}
}

func TestWhatOthersHearOfAWallet(t *testing.T) {
	type events = []wallet.Event
	at := func(m instant.Millis) instant.Time { return instant.Time(m) }
	first := told(at(hour), at(hour-1), 0)
	both := told(at(hour), at(hour-1), at(hour-2))
	moved := *told(at(hour+9), at(hour+8), at(hour-2))
	moved.Settle = 8
	byCursor := sweepAt(at(hour+9), at(hour+8), at(hour-7))
	byCursor.Settle = 8
	stream := given.Of(wallet.Aggregate(), "02aa")
	stream.Check(t, "the first sweep tells", events{adopted}, sweepAt(at(hour), at(hour-1), 0), events{first}, nil)
	stream.Check(t, "the next one does not, nor does another daemon's", events{adopted, first},
		sweepAt(at(hour+5), at(hour+4), 0), nil, nil)
	stream.Check(t, "it is told again within the hour", events{adopted, first},
		sweepAt(at(2*hour), at(hour-1+wallet.Every), 0), events{told(at(2*hour), at(hour-1+wallet.Every), 0)}, nil)
	stream.Check(t, "not a moment earlier", events{adopted, first}, sweepAt(at(2*hour), at(hour-2+wallet.Every), 0), nil, nil)
	stream.Check(t, "the chain is known for the first time", events{adopted, first},
		sweepAt(at(hour+5), at(hour+4), at(hour+3)), events{told(at(hour+5), at(hour+4), at(hour+3))}, nil)
	stream.Check(t, "the chain alone goes on", events{adopted, both}, sweepAt(at(3*hour), at(hour-1), at(2*hour)),
		events{told(at(3*hour), at(hour-1), at(2*hour))}, nil)
	stream.Check(t, "the cursor moves: the times go with it, never back", events{adopted, both}, byCursor, events{&moved}, nil)
	stream.Check(t, "a sweep that was slow", events{adopted, both}, sweepAt(at(2*hour), 5, 6), nil, nil)
	stream.Check(t, "nobody knows what is to come", events{adopted}, sweepAt(5, 6, 0), nil, wallet.ErrInvalid)
	stream.Check(t, "nor on the chain", events{adopted}, sweepAt(5, 4, 6), nil, wallet.ErrInvalid)
}

func TestANodeIsRetiredAndReturns(t *testing.T) {
	type events = []wallet.Event
	known := told(500, 490, 0)
	stream := given.Of(wallet.Aggregate(), "02aa")
	stream.Check(t, "a node is retired", events{adopted, swept}, wallet.Retire{At: 400}, events{retired}, nil)
	stream.Check(t, "twice is once", events{adopted, retired}, wallet.Retire{At: 450}, nil, nil)
	stream.Check(t, "one that nobody adopted", nil, wallet.Retire{At: 400}, nil, wallet.ErrUnknown)
	stream.Check(t, "it is watched again", events{adopted, retired}, wallet.Return{At: 500}, events{returned}, nil)
	stream.Check(t, "it never left", events{adopted}, wallet.Return{At: 500}, nil, nil)
	stream.Check(t, "twice is once", events{adopted, retired, returned}, wallet.Return{At: 600}, nil, nil)
	stream.Check(t, "it is retired again", events{adopted, retired, returned}, wallet.Retire{At: 600},
		events{&wallet.Retired{At: wallet.At{At: 600}}}, nil)
	sweeps := sweepAt(500, 490, 0)
	sweeps.Settle, sweeps.Add = 12, 20
	stream.Check(t, "it was swept all the time", events{adopted, swept, retired}, sweeps, events{returned}, nil)
	stream.Check(t, "it has news", events{adopted, told(350, 340, 0), retired},
		sweepAt(instant.Time(hour), instant.Time(hour), 0),
		events{&wallet.Returned{At: wallet.At{At: instant.Time(hour)}}, told(instant.Time(hour), instant.Time(hour), 0)}, nil)
	if s := fold(adopted, known, retired); s.Retired != 400 || s.Invoices != 490 {
		t.Errorf("retired it is %+v", s)
	}
	if s := fold(adopted, known, retired, returned); s.Retired != 0 || s.Invoices != 490 {
		t.Errorf("returned it is %+v", s)
	}
}

func TestSweptTo(t *testing.T) {
	for _, c := range []struct {
		events            []wallet.Event
		onChain, offChain instant.Time
	}{
		{[]wallet.Event{adopted, swept}, 0, 0},
		{[]wallet.Event{adopted, told(500, 490, 0)}, 0, 490},
		{[]wallet.Event{adopted, told(500, 490, 480)}, 480, 490},
		{[]wallet.Event{adopted, told(500, 480, 490), swept}, 480, 480},
	} {
		s := fold(c.events...)
		if on, off := s.SweptTo(true), s.SweptTo(false); on != c.onChain || off != c.offChain {
			t.Errorf("%+v is swept to %d, without the chain to %d", s, on, off)
		}
	}
}

func TestGoldenFiles(t *testing.T) {
	c := golden.Codec[wallet.Event]{Decode: wallet.Decode, Former: map[string]wallet.Event{"wallet.swept.v1": swept}}
	full := *swept
	full.Invoices, full.Chain = 190, 180
	c.Check(t, adopted, &full, retired, returned)
	c.Refuses(t, "wallet.swept.v3", "{}")
}
