package esdbserver

import (
	"context"
	"math"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// Delete implements [streams.StreamsServer]. The stream's events are hidden, and it may be
// written again.
func (n *node) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := req.GetOptions()
	name := string(o.GetStreamIdentifier().GetStreamName())
	position, err := n.remove(ctx, name, o, n.cluster.log.delete)
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{
		Position: &streams.DeleteResp_Position{CommitPosition: position, PreparePosition: position},
	}}, nil
}

// Tombstone implements [streams.StreamsServer]. The stream is gone for good, and so is its
// name.
func (n *node) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := req.GetOptions()
	name := string(o.GetStreamIdentifier().GetStreamName())
	position, err := n.remove(ctx, name, o, n.cluster.log.bury)
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{
		Position: &streams.TombstoneResp_Position{CommitPosition: position, PreparePosition: position},
	}}, nil
}

// remove takes a stream away in one of the two ways and returns where the log says so.
func (n *node) remove(ctx context.Context, name string, o expecting, how func(string, int64) written) (uint64, error) {
	if strings.HasPrefix(name, metaPrefix) {
		return 0, invalidArgument("a metastream goes with the stream that it is of")
	}
	if err := validWrite(ctx, name); err != nil {
		return 0, err
	}
	expected := expectation(o)
	res, err := n.commit(ctx, name, func() written { return how(name, expected) })
	switch {
	case err != nil:
		return 0, err
	case res.verdict == isDeleted:
		return 0, streamDeleted(ctx, name)
	case res.verdict != accepted:
		return 0, wrongExpectedVersion(ctx, name, expected, res.current)
	}
	return uint64(res.position), nil
}

// delete hides all events of a stream: its metadata are replaced by such that say so.
func (l *log) delete(name string, expected int64) written {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := proposal{id: newEventID(), kind: kindKey{metadataType, contentJSON}}
	d := l.decide(name, expected, []proposal{e})
	s := l.streams[name]
	if v := (view{l, l.length}); d.verdict == accepted && d.current < 0 && (s == nil || v.count(s.meta) == 0) {
		d.verdict = wrong
	}
	if d.verdict != accepted {
		return written{decision: d}
	}
	e.data = withTruncateBefore(nil, math.MaxInt64)
	meta := l.open(metaPrefix + name)
	r := l.write(meta, int64(len(meta.events)), &e, ticks(l.now()))
	l.wrote(1)
	l.signal.broadcast()
	return written{d, r.number, r.position}
}

// bury writes a tombstone.
func (l *log) bury(name string, expected int64) written {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := proposal{id: newEventID(), kind: kindKey{"$streamDeleted", contentBytes}}
	d := l.decide(name, expected, []proposal{e})
	if d.verdict != accepted {
		return written{decision: d}
	}
	r := l.write(l.open(name), deletedNumber, &e, ticks(l.now()))
	l.wrote(1)
	l.signal.broadcast()
	return written{d, r.number, r.position}
}
