package projections

import (
	"sandglass/domain/address"
	"sandglass/domain/resource"
	"sandglass/projections/snapshot"
)

// addresses are all that were issued, in the order of the log. They are only added to.
type addresses struct {
	all        []address.State
	byAddress  map[string]int32
	ofResource map[resource.ID]int32 // the last that was issued for it
	ofNode     map[string]int        // how many are of each wallet
	lowest     int64                 // height of issue
}

func newAddresses() addresses {
	return addresses{byAddress: map[string]int32{}, ofResource: map[resource.ID]int32{}, ofNode: map[string]int{}}
}

func (a *addresses) add(s address.State) {
	i := int32(len(a.all))
	if i == 0 || s.Height < a.lowest {
		a.lowest = s.Height
	}
	a.all = append(a.all, s)
	a.byAddress[s.Address] = i
	a.ofResource[s.Resource] = i
	a.ofNode[s.Node]++
}

// addressFields passes an address through a snapshot.
func addressFields(f *snapshot.Fields, s *address.State) {
	snapshot.String(f, &s.Address)
	snapshot.String(f, &s.Resource)
	snapshot.String(f, &s.Node)
	snapshot.Int(f, &s.Height)
	snapshot.Int(f, &s.At.At)
}

// Issued returns for which resource an address was issued, and at which height of the
// chain, or false if it is none of ours.
func (v *Views) Issued(addr string) (id resource.ID, height int64, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	i, ok := v.addresses.byAddress[addr]
	if !ok {
		return "", 0, false
	}
	s := &v.addresses.all[i]
	return s.Resource, s.Height, true
}

// AddressOf returns the address that was issued last for a resource, and the identity_pubkey of
// the wallet that holds its key, or false if none was issued.
func (v *Views) AddressOf(id resource.ID) (addr, node string, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	i, ok := v.addresses.ofResource[id]
	if !ok {
		return "", "", false
	}
	s := &v.addresses.all[i]
	return s.Address, s.Node, true
}

// IssuedAfter returns the lowest height at which an address was issued, of those that the log
// has after the first n, and how many it has.
func (v *Views) IssuedAfter(n int) (lowest int64, all int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all = len(v.addresses.all)
	for i := n; i < all; i++ {
		if h := v.addresses.all[i].Height; i == n || h < lowest {
			lowest = h
		}
	}
	return lowest, all
}

// LowestIssue returns the lowest height at which an address was issued, or false if none
// was: no block before it holds a payment.
func (v *Views) LowestIssue() (height int64, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.addresses.lowest, len(v.addresses.all) > 0
}
