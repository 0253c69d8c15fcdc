package request

import "slices"

// OfToken returns the invoices that a token of digital cash was to pay, oldest first: also those that are
// done, for [Keep] after their expiry, so that whoever sends a token again is told what it bought. The
// hash is that of [payment.Cash].
func (s *Set) OfToken(hash [32]byte) []*Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return records(s.byToken[hash])
}

func (s *Set) putToken(e *entry) {
	if e.Cash.Quote == "" {
		return
	}
	list := s.byToken[e.Cash.Token]
	at, _ := slices.BinarySearchFunc(list, e, older)
	s.byToken[e.Cash.Token] = slices.Insert(list, at, e)
}

func (s *Set) removeToken(e *entry) {
	if e.Cash.Quote == "" {
		return
	}
	list := slices.DeleteFunc(s.byToken[e.Cash.Token], func(other *entry) bool { return other == e })
	if len(list) == 0 {
		delete(s.byToken, e.Cash.Token)
		return
	}
	s.byToken[e.Cash.Token] = list
}
