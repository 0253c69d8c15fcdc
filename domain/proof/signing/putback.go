package signing

import (
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/fork"
)

// PutBack returns what a store that is put back is to keep in the place of its own checkpoint; nil is nothing.
//
// Where the store that was in use can be read, last is all that it keeps: nothing was signed that it did not
// keep before. The store that is put back has that instead of its own, and the next look finds out what
// is gone, if anything is. Where known is false, or last is older than own or marked itself, later
// checkpoints may have been signed than anybody here knows, and m is put before own, or before last where that is
// later. The copy in the state folder is no reason to leave it out, since it may have been put back too.
func PutBack(own, last []byte, known bool, m checkpoint.Mark) []byte {
	_, _, doubtful := checkpoint.Marked(last)
	plain, _, _ := checkpoint.Marked(own)
	switch {
	case !known && !doubtful && last != nil && Follows(own, last):
		plain = last // of those that are here it is the latest
	case !known || doubtful:
	case last == nil && own == nil:
		return nil
	case last != nil && Follows(own, last):
		return last
	}
	return m.Note(plain)
}

// Follows reports whether of what two stores of a log keep the second is not older than the first.
func Follows(first, second []byte) bool {
	if first == nil {
		return true
	}
	first, _, _ = checkpoint.Marked(first)
	second, _, _ = checkpoint.Marked(second)
	a, err1 := checkpoint.Read(first)
	b, err2 := checkpoint.Read(second)
	if err1 != nil || err2 != nil {
		return false
	}
	_, before := fork.Base(a.Origin)
	_, after := fork.Base(b.Origin)
	return a.Origin == b.Origin && a.Size <= b.Size || before < after
}
