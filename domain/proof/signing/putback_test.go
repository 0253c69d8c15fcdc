package signing_test

import (
	"errors"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/signing"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// putBack puts an older file in the place of the log, as store restore does where the log in use could not be read, and
// the state folder was lost too.
func (h *host) putBack(file []byte, events int64, c signing.Config) {
	h.t.Helper()
	h.restore(file, c)
	h.mark(nil, false, events)
	h.copy.note = nil
}

// mark has the store keep what one that is put back keeps.
func (h *host) mark(last []byte, known bool, events int64) {
	h.t.Helper()
	own, version, err := h.store.Checkpoint(h.t.Context())
	if err == nil {
		note := signing.PutBack(own, last, known, checkpoint.Mark{Events: events, At: instant.Time(1_700_000_000_000)})
		err = h.store.SwapCheckpoint(h.t.Context(), version, note)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestAStoreThatIsPutBackIsToldUntilItIsForked(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 20)
	first := h.signed()
	backup := h.keep()
	h.grow("lost", 30)
	h.signed()
	h.putBack(backup, first.Size, ours())
	s := h.alarmed(signing.Restored, "put back at 2023-11-14T22:13:20.000Z, with 21 events")
	if hasBrief(&s) || string(s.Note) != string(first.Note) {
		t.Errorf("%+v", s)
	}
	h.grow("new", 40)
	h.restart(ours())
	h.alarmed(signing.Restored, "with 21 events")
	h.restart(signing.Config{Shared: true}) // another host of the log
	h.alarmed(signing.Restored, "with 21 events")
	h.restart(ours())
	one := h.fork("the disk broke")
	if one.Number != 1 || one.Left != string(first.Note) || one.Size != 61 {
		t.Errorf("%+v", one)
	}
	h.restart(ours())
	if s := h.signed(); len(s.Forks) != 2 || s.Size != 62 {
		t.Errorf("%+v", s)
	}
	// A backup of now is put back: the fork that is in it says nothing of that.
	again := h.keep()
	h.putBack(again, 62, ours())
	h.alarmed(signing.Restored, "with 62 events")
	h.fork("once more")
	h.signed()
}

// Whoever dies between the fork and its first checkpoint: the log was forked, and once.
func TestAForkClearsTheMarkWhateverFails(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.None, storetest.Lost, storetest.AnswerLost} {
		for _, of := range []string{"the event", "the checkpoint", "the copy"} {
			h := newHost(t)
			h.grow("toy", 5)
			first := h.signed()
			h.putBack(h.keep(), first.Size, ours())
			h.alarmed(signing.Restored, "")
			switch of {
			case "the event":
				h.events.OnAppend = storetest.Faults(fault)
			case "the checkpoint":
				h.faults.next = fault
			case "the copy":
				h.copy.fail = storetest.ErrFault
			}
			_, err := h.Fork(t.Context(), stream.Meta{}, "put back", false)
			if (err != nil) != (fault != storetest.None && of == "the event") {
				t.Fatalf("%s, %v: %v", of, fault, err)
			}
			h.copy.fail = nil
			h.restart(ours())
			if s := h.look(); s.Alarm != signing.None {
				if of != "the event" || fault != storetest.Lost {
					t.Fatalf("%s, %v: %+v", of, fault, s)
				}
				h.fork("put back")
			}
			if s := h.signed(); len(s.Forks) != 2 || s.Forks[1].Number != 1 {
				t.Errorf("%s, %v: %+v", of, fault, s.Forks)
			}
			h.stop()
		}
	}
}

// A log that was never signed, as far as the backup knows.
func TestABackupThatWasNeverSignedIsPutBack(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 5)
	h.putBack(h.keep(), 5, ours())
	h.alarmed(signing.Restored, "with 5 events")
	h.restart(signing.Config{Shared: true})
	if s := h.look(); s.Alarm != signing.None || s.Note != nil { // nobody has its key
		t.Errorf("%+v", s)
	}
	h.restart(ours())
	if one := h.fork("put back"); one.Number != 1 || one.Left != "" {
		t.Errorf("%+v", one)
	}
	h.restart(ours())
	h.signed()
}

// By what the log in use keeps it is found out whether anything is gone: without the state folder, too.
func TestWhatWasSignedLastIsKnown(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 20)
	h.signed()
	backup := h.keep()
	h.grow("lost", 30)
	last := h.signed()
	h.restore(backup, ours())
	h.copy.note = nil
	h.mark(last.Note, true, 21)
	h.alarmed(signing.Short, "the store has a checkpoint of 51 events, and the log has 21")
	if one := h.fork("the disk broke"); one.Left != string(last.Note) {
		t.Errorf("%+v", one)
	}
	forked := h.signed()
	whole := h.keep()
	h.restore(whole, ours()) // nothing is lost
	h.copy.note = nil
	h.mark(forked.Note, true, 22)
	h.signed()
}

// An operator can say what nothing here tells.
func TestAnOperatorSaysThatTheStoreWasPutBack(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 5)
	backup := h.keep()
	h.signed()
	h.restore(backup, ours())
	h.copy.note = nil
	h.grow("others", 7)
	first := h.signed() // nothing tells
	if _, err := h.Fork(t.Context(), stream.Meta{}, "x", false); !errors.Is(err, signing.ErrNoAlarm) {
		t.Errorf("%v", err)
	}
	one, err := h.Fork(t.Context(), stream.Meta{}, "an image of the disk runs", true)
	if err != nil || one.Number != 1 || one.Left != string(first.Note) {
		t.Errorf("%+v, %v", one, err)
	}
	h.restart(ours())
	h.signed()
}

func TestWhatAStoreKeepsThatIsPutBack(t *testing.T) {
	note := func(origin string, size int64) []byte {
		n, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: origin, Size: size}, key(1))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const log = "shop.example.org/log"
	older, old, later := note(log, 3), note(log, 4), note(log, 7)
	forked := note(fork.Origin(log, 1, 1_700_000_000_000), 5)
	other := note(fork.Origin(log, 1, 1_700_000_000_001), 9)
	m, before := checkpoint.Mark{Events: 6}, checkpoint.Mark{Events: 2}
	for what, test := range map[string]struct {
		own, last []byte
		known     bool
		want      []byte
	}{
		"nothing was ever signed":              {nil, nil, true, nil},
		"nothing is known":                     {nil, nil, false, m.Note(nil)},
		"the log in use can't be read":         {old, nil, false, m.Note(old)},
		"the log in use may lack its end":      {old, later, false, m.Note(later)},
		"and is older":                         {old, older, false, m.Note(old)},
		"the same was signed last":             {old, old, true, old},
		"more was signed":                      {old, later, true, later},
		"the first was signed since":           {nil, old, true, old},
		"it was forked since":                  {later, forked, true, forked},
		"the log in use is older":              {old, older, true, m.Note(old)},
		"the log in use is of before the fork": {forked, later, true, m.Note(forked)},
		"the log in use was never signed":      {old, nil, true, m.Note(old)},
		"it was forked twice, each for itself": {forked, other, true, m.Note(forked)},
		"the log in use was put back itself":   {old, before.Note(later), true, m.Note(old)},
		"the backup is of one that was":        {before.Note(old), nil, false, m.Note(old)},
		"and the log in use is known":          {before.Note(old), later, true, later},
		"and nothing was signed":               {before.Note(nil), nil, true, m.Note(nil)},
		"and it had nothing":                   {before.Note(nil), later, true, m.Note(nil)},
		"it is no checkpoint":                  {old, []byte("x\n"), true, m.Note(old)},
	} {
		got := signing.PutBack(test.own, test.last, test.known, m)
		if string(got) != string(test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%s: %s", what, strings.TrimSpace(string(got)))
		}
	}
}

// A witness that has seen more, or something else, has the log told as one that is short, until it is forked.
func TestAWitnessHasSeenMore(t *testing.T) {
	h := newHost(t)
	h.grow("toy", 5)
	first := h.signed()
	var seen []signing.Seen
	c := ours()
	c.Seen = func() []signing.Seen { return seen }
	h.restart(c)
	name := first.Latest.Origin
	seen = []signing.Seen{{Name: "w", Origin: name, Size: 6}, {Name: "v", Origin: "another", Size: 99, Other: true}}
	h.signed()
	h.grow("more", 1)
	h.signed()
	seen[0].Size = 9
	h.grow("more", 5)
	h.alarmed(signing.Witnessed, "the witness w says that it cosigned 9 events")
	seen[0].Size = 7
	h.signed() // it has thought better of it
	seen[0].Other = true
	h.alarmed(signing.Witnessed, "another history")
	h.fork("an image of the disk runs")
	h.signed()
}
