package service

import (
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/status"

	"sandglass/testutil/esdbserver/eventlog"
)

// subscription is a reading that waits for more at the end. The client is told once that
// it has caught up; from then on it must keep up.
type subscription struct {
	*reading
	live bool
	slow <-chan struct{} // closed when a test calls the live consumers too slow
}

// liveBuffer is how many events may come while a live consumer takes one. If it was also
// given Options.SlowAfter it is too slow.
const liveBuffer = 32

func (r *reading) subscribe() (*subscription, error) {
	return &subscription{reading: r}, r.out.Send(confirmation(uuid.NewString()))
}

// subscribeToStream delivers the events of a stream after the revision given, which need
// not be there yet.
func (r *reading) subscribeToStream(o *streams.ReadReq_Options_StreamOptions) error {
	next := r.streams.streamStart(r.name, o)
	s, err := r.subscribe()
	if err != nil {
		return err
	}
	for {
		more := r.streams.log.News() // before looking, so as to miss nothing
		p := r.streams.streamPage(r.name, next, true, pageSize, r.page)
		if p.Deleted {
			return streamDeleted(r.out.Context(), r.name)
		}
		for _, rec := range p.Records {
			if err := s.deliver(rec); err != nil {
				return err
			}
		}
		next, r.page = p.Next, p.Records
		if p.Missing && o.GetEnd() == nil {
			if err := s.wait(more); err != nil {
				return err
			}
			continue
		}
		if p.End || p.Missing {
			if err := s.catchUp(more); err != nil {
				return err
			}
		}
	}
}

// streamStart returns the number of the first event that a subscription delivers.
func (s *Streams) streamStart(name string, o *streams.ReadReq_Options_StreamOptions) int64 {
	switch {
	case o.GetStart() != nil:
		return 0
	case o.GetEnd() == nil:
		return clampRevision(o.GetRevision()) + 1
	}
	v, unlock := s.node.View()
	defer unlock()
	return v.Written(name)
}

// subscribeToAll delivers the events of the log after the position given, as far as they
// pass the filter.
func (r *reading) subscribeToAll(o *streams.ReadReq_Options_AllOptions, wire *streams.ReadReq_Options_FilterOptions) error {
	f, err := newFilter(wire)
	if err != nil {
		return err
	}
	next, err := r.streams.after(o)
	if err != nil {
		return err
	}
	s, err := r.subscribe()
	if err != nil {
		return err
	}
	for {
		more := r.streams.log.News()
		r.page = r.streams.logPage(next, true, f.window, r.page)
		var seen int
		if s.live {
			seen, err = s.deliverLive(f, r.page)
		} else {
			seen, err = s.deliverPage(f, r.page, r.streams.behind(next))
		}
		if err != nil {
			return err
		}
		if next += uint32(seen); len(r.page) == 0 {
			if err := s.atEnd(f, next); err != nil {
				return err
			}
			if err := s.catchUp(more); err != nil {
				return err
			}
		}
	}
}

// after returns the ordinal of the first event after a position. Positions are ordered by
// their commit, then by their prepare: with a lower prepare the event at the commit is yet
// to come.
func (s *Streams) after(o *streams.ReadReq_Options_AllOptions) (uint32, error) {
	next, err := s.ordinal(o)
	if p := o.GetPosition(); err == nil && p != nil && p.GetPreparePosition() == p.GetCommitPosition() {
		v, unlock := s.node.View()
		defer unlock()
		if next < v.Limit() && uint64(v.At(next).Position) == p.GetCommitPosition() {
			next++
		}
	}
	return next, err
}

// behind returns how many events there are from an ordinal on.
func (s *Streams) behind(next uint32) int {
	v, unlock := s.node.View()
	defer unlock()
	return int(v.Limit()) - int(next)
}

// deliverPage delivers what matches in a page of history, 32 events at most if there is a
// filter, and tells the filtered how far it has looked: to its last match, or to where the
// page began, with a prepare position of 0 then. It returns how much of the page it has
// seen.
func (s *subscription) deliverPage(f *filter, page []*eventlog.Record, behind int) (int, error) {
	seen, matched := 0, 0
	var last *eventlog.Record // that matched
	for _, rec := range page {
		if f.filtered && matched == filterPage {
			break
		}
		seen++
		if !f.match(rec) {
			continue
		}
		matched, last = matched+1, rec
		if err := s.deliver(rec); err != nil {
			return seen, err
		}
	}
	f.considered += seen
	if f.filtered && seen > 0 && seen < behind && f.considered >= f.interval {
		f.considered %= f.interval
		if last == nil {
			return seen, s.tell(checkpoint(page[0].Position, 0))
		}
		return seen, s.tell(checkpoint(last.Position, last.Position))
	}
	return seen, nil
}

// atEnd tells the checkpoint of Options.EarlyCheckpoints, where the event to come begins.
func (s *subscription) atEnd(f *filter, next uint32) error {
	if s.live || !f.filtered || next == 0 || !s.streams.options.EarlyCheckpoints {
		return nil
	}
	v, unlock := s.streams.node.View()
	end := v.At(next - 1).End()
	unlock()
	return s.tell(checkpoint(int64(end), 0))
}

// deliverLive delivers what matches of new events, with a checkpoint at each interval.
func (s *subscription) deliverLive(f *filter, page []*eventlog.Record) (int, error) {
	for i, rec := range page {
		if f.match(rec) {
			if err := s.deliver(rec); err != nil {
				return i, err
			}
		}
		if f.considered++; f.filtered && f.considered >= f.interval {
			f.considered = 0
			if err := s.tell(checkpoint(rec.Position, rec.Position)); err != nil {
				return i, err
			}
		}
	}
	return len(page), nil
}

// deliver sends an event. While live, a consumer that lets too many others come meanwhile
// is sent away.
func (s *subscription) deliver(rec *eventlog.Record) error {
	if !s.live {
		return s.send(rec)
	}
	begun, length := time.Now(), s.streams.log.Len()
	if err := s.send(rec); err != nil {
		return err
	}
	if time.Since(begun) > s.streams.options.SlowAfter && s.streams.log.Len() > length+liveBuffer {
		return tooSlow()
	}
	return nil
}

func (s *subscription) tell(m *streams.ReadResp) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.out.Send(m)
}

// catchUp says, the first time, that the end is reached, and waits for more.
func (s *subscription) catchUp(more <-chan struct{}) error {
	if !s.live {
		s.live, s.slow = true, s.streams.faults.Slow()
		if err := s.tell(caughtUp()); err != nil {
			return err
		}
	}
	return s.wait(more)
}

func (s *subscription) wait(more <-chan struct{}) error {
	select {
	case <-more:
		return nil
	case <-s.cuts:
		return s.alive()
	case <-s.slow:
		return tooSlow()
	case <-s.out.Context().Done():
		return status.FromContextError(s.out.Context().Err()).Err()
	}
}
