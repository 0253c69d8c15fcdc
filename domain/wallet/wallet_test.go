package wallet_test

import (
	"errors"
	"reflect"
	"testing"

	"sandglass/domain/wallet"
	"sandglass/testutil/golden"
)

type (
	given []wallet.Event
	then  []wallet.Event
)

var (
	adopted = &wallet.Adopted{At: wallet.At{At: 100}, Epoch: 1, Network: "regtest", Settle: 7, Add: 9, Reason: wallet.FirstStart}
	rebuilt = &wallet.Adopted{At: wallet.At{At: 300}, Epoch: 2, Network: "regtest", Reason: wallet.Rebuilt}
	swept   = &wallet.Swept{At: wallet.At{At: 200}, Settle: 12, Add: 20}
)

func sweep(epoch, settle, add int64) wallet.Sweep {
	return wallet.Sweep{Epoch: epoch, Swept: wallet.Swept{At: wallet.At{At: 200}, Settle: settle, Add: add}}
}

func TestDecide(t *testing.T) {
	gap := *rebuilt
	gap.Epoch = 3
	bad := *adopted
	bad.Settle = -1
	for _, c := range []struct {
		name  string
		given given
		when  wallet.Command
		then  then
		err   error
	}{
		{"a node is adopted", nil, wallet.Adopt{Adopted: *adopted}, then{adopted}, nil},
		{"twice is once", given{adopted}, wallet.Adopt{Adopted: *adopted}, nil, nil},
		{"its indices begin again", given{adopted, swept}, wallet.Adopt{Adopted: *rebuilt}, then{rebuilt}, nil},
		{"an older epoch is over", given{adopted, rebuilt}, wallet.Adopt{Adopted: *adopted}, nil, nil},
		{"an epoch is left out", given{adopted}, wallet.Adopt{Adopted: gap}, nil, wallet.ErrInvalid},
		{"a negative index", nil, wallet.Adopt{Adopted: bad}, nil, wallet.ErrInvalid},
		{"the cursor moves on", given{adopted}, sweep(1, 12, 20), then{swept}, nil},
		{"it stands", given{adopted, swept}, sweep(1, 12, 20), nil, nil},
		{"it never moves back", given{adopted, swept}, sweep(1, 5, 5), nil, nil},
		{"a sweep of an epoch that is over", given{adopted, rebuilt}, sweep(1, 12, 20), nil, wallet.ErrEpoch},
		{"a node that nobody adopted", nil, sweep(1, 12, 20), nil, wallet.ErrUnknown},
		{"a negative cursor", given{adopted}, sweep(1, -1, 20), nil, wallet.ErrInvalid},
	} {
		s := wallet.New("02aa")
		for _, e := range c.given {
			s = wallet.Evolve(s, e)
		}
		events, err := wallet.Decide(s, c.when)
		if !errors.Is(err, c.err) || len(events) != len(c.then) || len(events) > 0 && !reflect.DeepEqual(events[0], c.then[0]) {
			t.Errorf("%s: %+v, %v", c.name, events, err)
		}
	}
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
	c := golden.Codec[wallet.Event]{Encode: wallet.Encode, Decode: wallet.Decode}
	c.Check(t, adopted, swept)
	c.Refuses(t, "wallet.swept.v2", "{}")
}
