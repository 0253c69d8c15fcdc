package witnessing

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"sandglass/domain/proof"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/signing"
	"sandglass/domain/watch"

	"golang.org/x/mod/sumdb/tlog"
)

// member is one witness. What is not its status is its run's alone.
type member struct {
	*Collector
	Named
	status Status       // guarded by the collector's mutex
	seen   signing.Seen // what it is at odds with the log in: guarded likewise
	origin string       // of the log, when it cosigned last
	ahead  bool         // it has cosigned more than this host knew, which is no conflict if another host signed that
}

// run asks the witness whenever there is a newer checkpoint, until ctx ends.
func (m *member) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		looked := m.Signer.Looked()
		s := m.Signer.Status()
		if !m.due(&s) {
			select {
			case <-looked:
			case <-ctx.Done():
			}
			continue
		}
		err := m.ask(ctx, &s)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures = 0
			continue
		}
		if m.failed(err, &s); m.status.State == Failing && m.ahead {
			watch.Pause(ctx, another)
		}
		m.Retry.Wait(ctx, failures, err)
		failures++
	}
}

// due reports whether there is something to cosign that the witness has not.
func (m *member) due(s *signing.Status) bool {
	if s.Note == nil || s.Alarm != signing.None && s.Alarm != signing.Witnessed { // of that one, it may think better
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.status.State == Waiting || m.origin != s.Latest.Origin {
		return true // after a restart the same is cosigned anew: it may be of another time
	}
	return m.status.State != Cosigned || m.status.Size < s.Latest.Size
}

// ask asks the witness once, and once more from where it says that it is.
func (m *member) ask(ctx context.Context, s *signing.Status) error {
	old := m.begin(s)
	msg, err := m.add(ctx, s, old)
	var at *Elsewhere
	if errors.As(err, &at) && at.Size != old && at.Size <= s.Latest.Size {
		if at.Size < old {
			m.forgot(old, at.Size)
		}
		m.ahead = false
		msg, err = m.add(ctx, s, at.Size)
	}
	if err != nil {
		return err
	}
	line, err := m.check(s.Note, msg)
	if err != nil {
		return err
	}
	m.ahead = false
	if err := m.put(s.Latest, s.Note, line); err != nil {
		m.Unkept(err) // it is shown, and kept with the next
	}
	m.origin = s.Latest.Origin
	m.mu.Lock()
	m.seen = signing.Seen{}
	m.mu.Unlock()
	m.tell(func(st *Status) { st.State, st.Detail, st.Size, st.At = Cosigned, "", s.Latest.Size, line.At })
	return nil
}

// begin returns the size of the log that the witness cosigned last, as far as is known.
func (m *member) begin(s *signing.Status) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.newer == 0 && (m.best == nil || m.best.is != s.Latest) {
		m.newer = m.Now()
	}
	if m.origin != s.Latest.Origin {
		m.status.Size, m.status.At = 0, 0
	}
	return m.status.Size
}

// add asks the witness to cosign what goes on from an old size.
func (m *member) add(ctx context.Context, s *signing.Status, old int64) ([]byte, error) {
	if n := len(s.Forks); old > 0 && n > 0 && old <= s.Forks[n-1].Size {
		// Nor would it be shown what goes on from there: hashes of events of before, which may have no salt.
		return nil, fmt.Errorf("it says that it cosigned %s last, and the log was first signed as %s when it had more than %d",
			proof.Events(old), s.Latest.Origin, s.Forks[n-1].Size)
	}
	var path tlog.TreeProof
	if old > 0 && old < s.Latest.Size {
		var err error
		if path, err = m.Tree.Consistency(ctx, old, s.Latest.Size); err != nil {
			return nil, fmt.Errorf("proving that the log goes on from %s: %w", proof.Events(old), err)
		}
	}
	return m.Client.Add(ctx, Request{Old: old, Proof: path, Note: s.Note})
}

// check returns the witness's line of an answer, if that is of the note.
func (m *member) check(note, answer []byte) (cosign.Line, error) {
	for range 2 { // the line by itself, too: in an answer of several parts it may be of another text
		lines, err := cosign.Lines(append(bytes.Clone(note), answer...), []*cosign.Witness{m.Witness})
		if err == nil && len(lines) == 0 {
			err = errors.New("there is no line by its key in it")
		}
		if err != nil {
			return cosign.Line{}, fmt.Errorf("its answer is no cosignature: %w", err)
		}
		if string(answer) == lines[0].Text {
			return lines[0], nil
		}
		answer = []byte(lines[0].Text)
	}
	return cosign.Line{}, errors.New("its answer is no cosignature")
}

// forgot is told of a witness that had cosigned old events, and says that these were fewer.
func (m *member) forgot(old, size int64) {
	m.tell(func(st *Status) {
		st.Conflicts++
		st.Forgot = fmt.Sprintf("it had cosigned %s, and says that it has cosigned %d: it was set back, "+
			"and what it cosigns from now on says less", proof.Events(old), size)
	})
}

// failed has the witness be in the state of an error.
func (m *member) failed(err error, s *signing.Status) {
	state := Failing
	var at *Elsewhere
	elsewhere := errors.As(err, &at)
	switch {
	case errors.Is(err, ErrForked), elsewhere && m.ahead:
		state = Conflict
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrRefused):
		state = Refused
	}
	forked := errors.Is(err, ErrForked) || elsewhere && at.Size == s.Latest.Size // asked from there: the root is another
	if forked || elsewhere && at.Size > s.Latest.Size {
		seen := signing.Seen{Name: m.Witness.Name(), Origin: s.Latest.Origin, Other: forked}
		if elsewhere {
			seen.Size = at.Size
		}
		m.mu.Lock()
		m.seen = seen
		m.mu.Unlock()
	}
	m.ahead = elsewhere // another host may have signed more: then this one knows when it asks again
	m.tell(func(st *Status) {
		if st.State, st.Detail = state, err.Error(); state == Conflict {
			st.Conflicts++
		}
	})
}

// tell changes the status, and has it told if it is another state, or says something else.
func (m *member) tell(change func(*Status)) {
	m.mu.Lock()
	before := m.status
	change(&m.status)
	now := m.status
	m.mu.Unlock()
	if m.Told != nil && (now.State != before.State || now.Detail != before.Detail || now.Forgot != before.Forgot) {
		m.Told(now)
	}
}

// strip returns a note without lines of it.
func strip(msg []byte, lines []cosign.Line) []byte {
	for _, line := range lines {
		msg = bytes.Replace(msg, []byte(line.Text), nil, 1)
	}
	return msg
}
