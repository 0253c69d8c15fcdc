package witnessing_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/proof/signing"
	"sandglass/domain/proof/witnessing"
	"sandglass/testutil/fakewitness"

	"golang.org/x/mod/sumdb/tlog"
)

// TestWhatWitnessesHaveSeen: what the signer is told that a witness has cosigned, of one that contradicts the log, and that
// it is told no more once the witness has cosigned what is signed here.
func TestWhatWitnessesHaveSeen(t *testing.T) {
	const name = "w.example/1"
	other := tlog.Hash{1}
	answers := func(err error) fakewitness.Misbehaviour {
		return func(context.Context, witnessing.Request, []byte, error) ([]byte, error) { return nil, err }
	}
	for what, test := range map[string]struct {
		thinks tlog.Tree                // of the log, if it is honest
		says   fakewitness.Misbehaviour // else
		want   []signing.Seen
	}{
		"409 with a larger size": {
			thinks: tlog.Tree{N: 9, Hash: other}, want: []signing.Seen{{Name: name, Origin: origin, Size: 9}},
		},
		"409 with the same size, of another root": {
			thinks: tlog.Tree{N: 3, Hash: other}, want: []signing.Seen{{Name: name, Origin: origin, Size: 3, Other: true}},
		},
		"422": {
			thinks: tlog.Tree{N: 2, Hash: other}, want: []signing.Seen{{Name: name, Origin: origin, Other: true}},
		},
		"422 whatever it is shown": {
			says: answers(witnessing.ErrForked), want: []signing.Seen{{Name: name, Origin: origin, Other: true}},
		},
		"409 with a smaller size, each time": {says: answers(&witnessing.Elsewhere{Size: 1})},
		"404":                                {says: answers(witnessing.ErrUnknown)},
		"403":                                {says: answers(witnessing.ErrRefused)},
		"no connection":                      {says: answers(context.DeadlineExceeded)},
		"409 with a smaller size":            {thinks: tlog.Tree{}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, newLog(t), 1, name)
				defer s.stop()
				w := s.witnesses[0]
				seen := func(when string, want []signing.Seen) {
					t.Helper()
					if got := s.Seen(); !slices.Equal(got, want) {
						t.Errorf("%s: the signer is told %+v, want %+v", when, got, want)
					}
				}
				s.grow("an event")
				s.grow("another")
				s.holds("well", 2, 1)
				seen("when all is well", nil)
				good := tlog.Tree{N: 2, Hash: s.Status().Latest.Root}
				w.Set(origin, test.thinks)
				w.Misbehave(test.says)
				s.grow("a third")
				time.Sleep(5 * time.Minute) // it is asked again, and says the same
				synctest.Wait()
				seen("of a contradiction", test.want)
				w.Set(origin, good)
				w.Misbehave(nil)
				time.Sleep(time.Hour)
				s.holds("in the end", 3, 1)
				seen("once it thinks better", nil)
			})
		})
	}
}
