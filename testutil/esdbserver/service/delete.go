package service

import (
	"context"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"sandglass/testutil/esdbserver/eventlog"
)

// Delete implements [streams.StreamsServer]. The stream's events are hidden, and it may be
// written again.
func (s *Streams) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := req.GetOptions()
	name := string(o.GetStreamIdentifier().GetStreamName())
	position, err := s.remove(ctx, name, o, s.log.Delete)
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{
		Position: &streams.DeleteResp_Position{CommitPosition: position, PreparePosition: position},
	}}, nil
}

// Tombstone implements [streams.StreamsServer]. The stream is gone for good, and so is its
// name.
func (s *Streams) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := req.GetOptions()
	name := string(o.GetStreamIdentifier().GetStreamName())
	position, err := s.remove(ctx, name, o, s.log.Tombstone)
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{
		Position: &streams.TombstoneResp_Position{CommitPosition: position, PreparePosition: position},
	}}, nil
}

// remove takes a stream away in one of the two ways and returns where the log says so.
func (s *Streams) remove(
	ctx context.Context, name string, o expecting, how func(string, int64) eventlog.Written,
) (uint64, error) {
	if strings.HasPrefix(name, eventlog.MetaPrefix) {
		return 0, invalidArgument("a metastream goes with the stream that it is of")
	}
	if err := validWrite(ctx, name); err != nil {
		return 0, err
	}
	if err := s.allow(ctx, name, eventlog.ToDelete); err != nil {
		return 0, err
	}
	expected := expectation(o)
	res, err := s.node.Commit(ctx, name, func() eventlog.Written { return how(name, expected) })
	switch {
	case err != nil:
		return 0, err
	case res.Verdict == eventlog.Deleted:
		return 0, streamDeleted(ctx, name)
	case res.Verdict != eventlog.Accepted:
		return 0, wrongExpectedVersion(ctx, name, expected, res.Current)
	}
	return uint64(res.Position), nil
}
