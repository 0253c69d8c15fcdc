package signing_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/tilefiles"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/signing"

	db "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// edit changes the file of the log while its daemon is stopped.
func (h *host) edit(query string) {
	h.t.Helper()
	h.stop()
	conn, err := db.OpenConn(h.path(), db.OpenReadWrite)
	if err != nil {
		h.t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(conn, query, nil)
	if err := errors.Join(err, conn.Close()); err != nil {
		h.t.Fatal(err)
	}
}

// follower returns the tree that is signed.
func (h *host) follower() *follow.Log { return h.Tree.(*follow.Log) }

// An edit of an old event, which no start reads, is an alarm once it was met, says where it is, is one after a restart
// too, and ends when the event is put back, or the log is forked.
func TestAnOldEventIsEdited(t *testing.T) {
	for _, fork := range []bool{false, true} {
		h := newHost(t)
		h.grow("toy", 900)
		h.signed()
		h.edit(`UPDATE events SET at = at + 1 WHERE position = 300`)
		h.start(ours())
		h.grow("more", 3)
		h.signed() // the root of before goes on
		if _, err := h.follower().Entries(t.Context(), 0, 3); err != nil {
			t.Fatal(err)
		}
		if _, err := h.follower().Entries(t.Context(), 1, 3); !errors.Is(err, follow.ErrChanged) {
			t.Fatal(err)
		}
		for range 2 {
			s := h.alarmed(signing.Rewritten, "the first that differs is one of index 256 to 511")
			if strings.Contains(s.Detail, "toy-") || !strings.HasPrefix(s.Where, "from toy-") ||
				!strings.Contains(s.Where, "at position 257 to toy-") {
				t.Errorf("it is %q, and where: %q", s.Detail, s.Where)
			}
			h.grow("again", 3)
			h.restart(ours())
		}
		if fork {
			h.fork("somebody changed an event")
		} else {
			h.edit(`UPDATE events SET at = at - 1 WHERE position = 300`)
			h.start(ours())
		}
		h.signed()
		h.grow("on", 300)
		h.signed()
		h.restart(ours())
		h.signed()
	}
}

// Blocks that are kept wrong, and look as if they were not, are no fault of the log's: they are made again, and nothing
// is said.
func TestWhatIsKeptOfTheTreeIsWrong(t *testing.T) {
	for _, at := range []int{0, 1} { // the last is read at the start
		h := newHost(t)
		var told []signing.Status
		c := ours()
		c.Told = func(s signing.Status) { told = append(told, s) }
		h.grow("toy", 900)
		h.signed()
		h.stop()
		dir := filepath.Join(h.dir, "tiles")
		files := tilefiles.New(dir)
		kept, _, err := files.Open()
		if err != nil || len(kept) != 3 {
			t.Fatal(len(kept), err)
		}
		good := slices.Clone(kept)
		kept[at].Root[3]++
		_, err = files.Write(0, kept)
		if err := errors.Join(err, files.Close()); err != nil {
			t.Fatal(err)
		}
		h.start(c)
		h.grow("more", 3)
		h.signed()
		if len(told) != 0 {
			t.Errorf("it is told %+v", told)
		}
		h.stop()
		again, _, err := files.Open()
		if err := errors.Join(err, files.Close()); err != nil || !slices.Equal(again, good) {
			t.Errorf("what is kept is not made again: %v", err)
		}
	}
}
