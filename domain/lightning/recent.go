package lightning

import "slices"

// recent remembers the latest invoices that can be paid again after they settled: the
// wallet may not tell of it, so that they are asked for. Older ones are found when
// everything is listed.
type recent struct {
	hashes []string
	next   int // the one that is replaced next
}

const maxRecent = 256

func (r *recent) add(hash string) {
	switch {
	case slices.Contains(r.hashes, hash):
	case len(r.hashes) < maxRecent:
		r.hashes = append(r.hashes, hash)
	default:
		r.hashes[r.next] = hash
		r.next = (r.next + 1) % maxRecent
	}
}

func (r *recent) all() []string { return slices.Clone(r.hashes) }
