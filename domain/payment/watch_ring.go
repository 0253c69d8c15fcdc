package payment

import "slices"

// ring remembers the latest invoices that can be paid again after they settled: the
// wallet may not tell of it, so that they are asked for. Older ones are found when
// everything is listed.
type ring struct {
	hashes []string
	next   int
}

const ringSize = 256

func (r *ring) add(hash string) {
	switch {
	case slices.Contains(r.hashes, hash):
	case len(r.hashes) < ringSize:
		r.hashes = append(r.hashes, hash)
	default:
		r.hashes[r.next] = hash
		r.next = (r.next + 1) % ringSize
	}
}

func (r *ring) all() []string { return slices.Clone(r.hashes) }
