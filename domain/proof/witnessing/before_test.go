package witnessing_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandglass/domain/proof/witnessing"
	"sandglass/domain/watch"
	"sandglass/testutil/fakewitness"
)

// asking is a witness that says of what it cosigned what it likes, to be shown a proof from there.
type asking struct {
	says  int64
	asked []witnessing.Request
}

func (a *asking) Add(_ context.Context, r witnessing.Request) ([]byte, error) {
	a.asked = append(a.asked, r)
	return nil, &witnessing.Elsewhere{Size: a.says}
}

// TestNobodyIsShownEventsOfBefore: no witness is shown how the log goes on from what nobody signed, since a proof of that has
// hashes of single events, and those may be of a build whose events have no salt.
func TestNobodyIsShownEventsOfBefore(t *testing.T) {
	const before, events = 5, 9
	for says := range int64(events) {
		synctest.Test(t, func(t *testing.T) {
			l := newLog(t)
			l.status.Forks[0].Size = before
			for i := range events {
				l.grow(fmt.Sprint(i))
			}
			a := &asking{says: says}
			c, err := witnessing.New(witnessing.Config{
				Signer: l, Tree: l, Quorum: 1, Copy: l, Now: now, Retry: watch.Retry{Min: time.Second, Max: time.Minute},
				Witnesses: []witnessing.Named{{Witness: fakewitness.New("w.example/1", now).Key, Client: a}},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			defer cancel()
			if err := c.Run(ctx); err != nil {
				t.Fatal(err)
			}
			proofs := 0
			for _, r := range a.asked {
				proofs += len(r.Proof)
			}
			st := c.Statuses()[0]
			if signed := says > before; (proofs > 0) != signed || st.State != witnessing.Failing ||
				says > 0 && !signed && !strings.Contains(st.Detail, "first signed as shop.example.org/log when it had more than 5") {
				t.Errorf("it says %d, is shown %d hashes, and is %+v", says, proofs, st)
			}
		})
	}
}
