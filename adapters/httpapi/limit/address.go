package limit

import "net/netip"

// AddressOf returns the address that limits are counted by: an IPv4 address, or the /64
// of an IPv6 one, of which a client has as many addresses as it wants. What is neither,
// such as the name of a socket, counts as one address.
func AddressOf(s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil {
		p, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}
		}
		a = p.Addr()
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // 64 bits are within an IPv6 address
		return p.Addr()
	}
	return a
}

// NetworkOf returns the network of an address that limits are counted by: the /24 of an IPv4
// address, or the /48 of an IPv6 one, which are what one customer of a provider may have.
func NetworkOf(a netip.Addr) netip.Addr {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return a // what has no address is a network of its own
	}
	return p.Addr()
}
