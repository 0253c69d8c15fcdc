package httpapi_test

import (
	"errors"
	"testing"

	"sandglass/adapters/httpapi/client"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/testutil/storetest"
)

// Of two nodes that were watched, the one of this daemon can't be retired; the other can, once,
// whichever write fails.
func TestANodeIsRetired(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"all is well": storetest.None, "lost": storetest.Lost, "answer lost": storetest.AnswerLost,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			c := s.client(operatorToken)
			handler := func(store stream.EventStore) *wallet.Handler {
				return &wallet.Handler{Aggregate: wallet.Aggregate(), Store: store}
			}
			s.billing.Node = func() string { return "02aa" }
			s.billing.Wallets = handler(&storetest.Faulty{EventStore: s.store, OnAppend: storetest.Faults(fault)})
			for _, node := range []string{"02aa", "02bb"} {
				_, err := handler(s.store).Execute(t.Context(), node, stream.Meta{}, wallet.Adopt{
					At: s.clock.Now(), Epoch: 1, Network: "regtest", Reason: wallet.FirstStart,
				})
				s.must(err)
				out, err := handler(s.store).Execute(t.Context(), node, stream.Meta{}, wallet.Sweep{
					At: s.clock.Now(), Epoch: 1, Invoices: s.clock.Now(),
				})
				s.must(err)
				s.must(s.views.WaitFor(t.Context(), out.Position))
			}
			if _, err := c.RetireWallet(t.Context(), "02cc"); client.Code(err) != "unknown_wallet" {
				t.Errorf("one that nobody watched: %v", err)
			}
			if _, err := c.RetireWallet(t.Context(), "02aa"); client.Code(err) != "served_wallet" {
				t.Errorf("our own: %v", err)
			}
			for range 2 {
				w, err := c.RetireWallet(t.Context(), "02bb")
				if fault != storetest.None && err != nil {
					fault = storetest.None // the next one is well
					w, err = c.RetireWallet(t.Context(), "02bb")
				}
				if s.must(err); w.Retired == 0 || w.Served || w.Swept == 0 {
					t.Errorf("it is %+v", w)
				}
			}
			head, err := s.store.Head(t.Context())
			s.must(errors.Join(err, s.views.WaitFor(t.Context(), head))) // after a lost answer nobody waited
			list, err := c.Wallets(t.Context())
			if s.must(err); len(list.Wallets) != 2 || !list.Wallets[0].Served || list.Wallets[0].Retired != 0 ||
				list.Wallets[1].Retired == 0 {
				t.Errorf("the wallets are %+v", list)
			}
			if _, err := s.client("").Wallets(t.Context()); client.Code(err) == "" {
				t.Error("strangers see the wallets")
			}
			out, err := handler(s.store).Load(t.Context(), "02bb")
			if s.must(err); out.Revision != 2 {
				t.Errorf("its stream has %d events", out.Revision+1)
			}
		})
	}
}
