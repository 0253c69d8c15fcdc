package service

import (
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"sandglass/testutil/esdbserver/eventlog"
)

// pageSize is how many events are looked up at a time, under the log's lock.
const pageSize = 256

// Read implements [streams.StreamsServer]: reads and subscriptions, of a stream and of all.
func (s *Streams) Read(req *streams.ReadReq, out streams.Streams_ReadServer) error {
	o := req.GetOptions()
	r := &reading{streams: s, out: out, options: o}
	stream, subscription := o.GetStream(), o.GetSubscription() != nil
	r.name = "$all"
	if stream != nil {
		r.name = string(stream.GetStreamIdentifier().GetStreamName())
	}
	switch {
	case stream == nil && o.GetAll() == nil:
		return invalidArgument("a read has a stream, or all")
	case r.name == "":
		return invalidArgument("a stream has a name")
	case subscription && o.GetReadDirection() != streams.ReadReq_Options_Forwards:
		return invalidArgument("a subscription reads forwards")
	case !subscription && o.GetCount() == 0:
		return invalidArgument("maxCount should be positive")
	case o.GetFilter() != nil && (stream != nil || !subscription):
		return invalidArgument("only a subscription to all has a filter")
	}
	if err := s.allow(out.Context(), r.name, eventlog.ToRead); err != nil {
		return err
	}
	if !subscription { // which no follower refuses
		if err := s.node.Reads(out.Context()); err != nil {
			return err
		}
	}
	if r.cuts, r.limit = s.faults.BeginRead(r.name, subscription); r.limit == 0 {
		return errCut
	}
	switch {
	case subscription && stream != nil:
		return r.subscribeToStream(stream)
	case subscription:
		return r.subscribeToAll(o.GetAll(), o.GetFilter())
	case stream != nil:
		return r.readStream(stream)
	}
	return r.readAll(o.GetAll())
}

// reading is a read or a subscription that goes on.
type reading struct {
	streams *Streams
	out     streams.Streams_ReadServer
	options *streams.ReadReq_Options
	name    string
	limit   int             // how many events are left before a fault cuts it; below 0: any number
	cuts    <-chan struct{} // closed when a test cuts it
	page    []*eventlog.Record
}

// send sends an event, unless a fault is in the way.
func (r *reading) send(rec *eventlog.Record) error {
	if err := r.alive(); err != nil {
		return err
	}
	if err := r.out.SendMsg(sent{rec, r.options.GetAll() != nil}); err != nil {
		return err
	}
	if r.limit--; r.limit == 0 {
		return errCut
	}
	return nil
}

// alive returns the error that a read ends with when it was cut.
func (r *reading) alive() error {
	select {
	case <-r.cuts:
		return errCut
	default:
	}
	return r.streams.faults.PassStall(r.out.Context())
}

// readStream answers a read that has a count.
func (r *reading) readStream(o *streams.ReadReq_Options_StreamOptions) error {
	forwards := r.options.GetReadDirection() == streams.ReadReq_Options_Forwards
	next := int64(0)
	switch {
	case o.GetEnd() != nil:
		next = eventlog.DeletedNumber - 1
	case o.GetStart() == nil:
		next = clampRevision(o.GetRevision())
	}
	for left := r.options.GetCount(); left > 0; {
		p := r.streams.streamPage(r.name, next, forwards, min(left, pageSize), r.page)
		switch {
		case p.Deleted:
			return streamDeleted(r.out.Context(), r.name)
		case p.Missing:
			return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
				StreamNotFound: &streams.ReadResp_StreamNotFound{
					StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.name)},
				},
			}})
		}
		for _, rec := range p.Records {
			if err := r.send(rec); err != nil {
				return err
			}
		}
		if left -= uint64(len(p.Records)); p.End {
			return nil
		}
		next, r.page = p.Next, p.Records
	}
	return nil
}

// readAll answers a read of the log that has a count.
func (r *reading) readAll(o *streams.ReadReq_Options_AllOptions) error {
	forwards := r.options.GetReadDirection() == streams.ReadReq_Options_Forwards
	next, err := r.streams.ordinal(o)
	if err != nil {
		return err
	}
	for left := r.options.GetCount(); left > 0; {
		r.page = r.streams.logPage(next, forwards, int(min(left, pageSize)), r.page)
		for _, rec := range r.page {
			if rec.Stream.Hidden {
				continue
			}
			if err := r.send(rec); err != nil {
				return err
			}
			left--
		}
		if len(r.page) == 0 {
			return nil
		}
		if forwards {
			next += uint32(len(r.page))
		} else {
			next -= uint32(len(r.page))
		}
	}
	return nil
}

// ordinal returns where a read of the log begins: forwards with the event there, backwards
// with the one before it. A position within an event is none.
func (s *Streams) ordinal(o *streams.ReadReq_Options_AllOptions) (uint32, error) {
	v, unlock := s.node.View()
	defer unlock()
	switch p := o.GetPosition(); {
	case o.GetStart() != nil:
		return 0, nil
	case p == nil:
		return v.Limit(), nil
	case p.GetCommitPosition() < p.GetPreparePosition():
		return 0, invalidArgument("the commit position is at or after the prepare position")
	default:
		next := v.Ordinal(p.GetCommitPosition())
		if next > 0 && v.At(next-1).End() > p.GetCommitPosition() {
			return 0, invalidArgument("Trying to read from an invalid position.")
		}
		return min(next, v.Limit()), nil
	}
}
