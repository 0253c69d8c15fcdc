package meter

import (
	"sandglass/domain/instant"
	"sandglass/domain/wallet"
)

// LateSweep is how long a wallet may go without a sweep before the operator is told that
// releases wait for it. Its daemon says at least once an hour how far it was swept.
const LateSweep = 2 * instant.Hour

// Sweeps tell up to when all that was paid is known, at whichever wallet: nobody is released
// who may have paid at another host's node. Of its own wallet a daemon knows that itself, of
// the others by the log.
type Sweeps struct {
	Node    func() string                       // of this daemon's wallet, empty before it is known
	Own     func(now instant.Time) instant.Time // up to when all that came there is booked, 0 if that is not known
	Wallets func() []wallet.State               // that were ever watched
	OnChain func(node string) bool              // whether a wallet gave out an address: else nothing comes there
	Skew    instant.Millis                      // by which another host's clock may be ahead
}

// To returns up to when all that was paid is known, of all wallets that are not retired.
func (s *Sweeps) To(now instant.Time) instant.Time {
	to := s.Own(now)
	for _, w := range s.others() {
		to = min(to, s.swept(&w))
	}
	return to
}

// swept returns up to when all that came to another host's wallet is in the log.
func (s *Sweeps) swept(w *wallet.State) instant.Time {
	return max(0, w.SweptTo(s.OnChain(w.Node)).Add(-s.Skew))
}

// others returns the wallets of other hosts that are not retired.
func (s *Sweeps) others() (list []wallet.State) {
	own := s.Node()
	for _, w := range s.Wallets() {
		if w.Node != own && w.Retired == 0 {
			list = append(list, w)
		}
	}
	return list
}

// Late returns the wallet of another host that was swept last before all others, if that is
// longer ago than [LateSweep], and up to when, 0 if that was never told.
func (s *Sweeps) Late(now instant.Time) (node string, swept instant.Time, ok bool) {
	for _, w := range s.others() {
		if at := s.swept(&w); at < now.Add(-LateSweep) && (!ok || at < swept) {
			node, swept, ok = w.Node, at, true
		}
	}
	return node, swept, ok
}
