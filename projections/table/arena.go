package table

import "strings"

// arena keeps many small strings that live as long as the table in few blocks.
type arena struct{ block strings.Builder }

const arenaBlock = 64 << 10

// keep returns a copy of s.
func (a *arena) keep(s string) string {
	a.room(len(s))
	a.block.WriteString(s)
	return a.tail(len(s))
}

// keepBytes returns a copy of b.
func (a *arena) keepBytes(b []byte) string {
	a.room(len(b))
	a.block.Write(b)
	return a.tail(len(b))
}

func (a *arena) room(n int) {
	if a.block.Cap()-a.block.Len() < n {
		a.block.Reset()
		a.block.Grow(max(arenaBlock, n))
	}
}

func (a *arena) tail(n int) string {
	all := a.block.String()
	return all[len(all)-n:]
}
