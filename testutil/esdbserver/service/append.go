package service

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"sandglass/testutil/esdbserver/eventlog"
)

// maxAppendSize is what the events of one append may have together.
const maxAppendSize = 1 << 20

// Append implements [streams.StreamsServer].
func (s *Streams) Append(in streams.Streams_AppendServer) error {
	ctx := in.Context()
	first, err := in.Recv()
	if err != nil {
		return err
	}
	options := first.GetOptions()
	if options == nil {
		return invalidArgument("the first message of an append has its options")
	}
	name := string(options.GetStreamIdentifier().GetStreamName())
	if err := validWrite(ctx, name); err != nil {
		return err
	}
	expected := expectation(options)
	events, err := proposals(ctx, in)
	if err != nil {
		return err
	}
	if err := s.allow(ctx, name, eventlog.ToWrite); err != nil {
		return err
	}
	res, err := s.node.Commit(ctx, name, func() eventlog.Written { return s.log.Append(name, expected, events) })
	if err != nil {
		return err
	}
	switch res.Verdict {
	case eventlog.Deleted:
		return streamDeleted(ctx, name)
	case eventlog.Wrong:
		return in.SendAndClose(&streams.AppendResp{Result: wrongVersion(options, res.Current)})
	}
	return in.SendAndClose(appended(res))
}

func validWrite(ctx context.Context, name string) error {
	switch {
	case name == "" || name == eventlog.MetaPrefix:
		return invalidArgument("a stream has a name")
	case strings.HasPrefix(name, eventlog.MetaPrefix+eventlog.MetaPrefix):
		return invalidArgument("a metastream has no metastream")
	case name == "$all":
		return AccessDenied(ctx)
	}
	return nil
}

// proposals receives the events of an append, until the client has sent all.
func proposals(ctx context.Context, in streams.Streams_AppendServer) ([]eventlog.Proposal, error) {
	var events []eventlog.Proposal
	size := 0
	for {
		req, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		m := req.GetProposedMessage()
		if m == nil {
			return nil, invalidArgument("after its options an append has events only")
		}
		kindName, ok := m.GetMetadata()["type"]
		if !ok {
			return nil, missingProperty(ctx, "type")
		}
		content, ok := m.GetMetadata()["content-type"]
		if !ok {
			return nil, missingProperty(ctx, "content-type")
		}
		if content != eventlog.ContentJSON {
			content = eventlog.ContentBytes
		}
		if size += len(m.GetData()) + len(m.GetCustomMetadata()) + 2*len(kindName); size > maxAppendSize {
			return nil, appendTooBig(ctx)
		}
		id, err := eventIDOf(m.GetId())
		if err != nil {
			return nil, err
		}
		events = append(events, eventlog.Proposal{
			ID:   id,
			Kind: eventlog.KindKey{Name: kindName, ContentType: content},
			Data: m.GetData(),
			Meta: m.GetCustomMetadata(),
		})
	}
}

func eventIDOf(id *shared.UUID) (eventlog.ID, error) {
	if s := id.GetStructured(); s != nil {
		var b eventlog.ID
		binary.BigEndian.PutUint64(b[:8], uint64(s.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(b[8:], uint64(s.GetLeastSignificantBits()))
		return b, nil
	}
	parsed, err := uuid.Parse(id.GetString_())
	if err != nil {
		return eventlog.ID{}, invalidArgument("an event has an id: " + err.Error())
	}
	return eventlog.ID(parsed), nil
}

// expecting is what the options of the three kinds of writes have alike.
type expecting interface {
	GetRevision() uint64
	GetNoStream() *shared.Empty
	GetAny() *shared.Empty
	GetStreamExists() *shared.Empty
}

// expectation puts an expected revision into the log's numbers.
func expectation(o expecting) int64 {
	switch {
	case o.GetNoStream() != nil:
		return eventlog.NoStream
	case o.GetAny() != nil:
		return eventlog.AnyRevision
	case o.GetStreamExists() != nil:
		return eventlog.StreamExists
	}
	return clampRevision(o.GetRevision())
}

func appended(res eventlog.Written) *streams.AppendResp {
	ok := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(res.Number)},
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: uint64(res.Position), PreparePosition: uint64(res.Position),
		}},
	}
	if res.Number < 0 {
		ok.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: ok}}
}

// What clients of version 20.6 and before read of a wrong version, by shorter names.
type (
	current206  = streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0
	expected206 = streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0
	noStream206 = streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0
	any206      = streams.AppendResp_WrongExpectedVersion_Any_20_6_0
	exists206   = streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0
)

// wrongVersion says what was expected and what there is, in the two ways that clients
// have learnt over the years.
func wrongVersion(o *streams.AppendReq_Options, current int64) *streams.AppendResp_WrongExpectedVersion_ {
	empty := &shared.Empty{}
	res := &streams.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption:        &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(current)},
		CurrentRevisionOption_20_6_0: &current206{CurrentRevision_20_6_0: uint64(current)},
	}
	if current < 0 {
		res.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty}
		res.CurrentRevisionOption_20_6_0 = &noStream206{NoStream_20_6_0: empty}
	}
	number := func(n uint64) {
		res.ExpectedRevisionOption_20_6_0 = &expected206{ExpectedRevision_20_6_0: n}
	}
	switch {
	case o.GetAny() != nil:
		res.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: empty}
		res.ExpectedRevisionOption_20_6_0 = &any206{Any_20_6_0: empty}
	case o.GetStreamExists() != nil:
		res.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: empty}
		res.ExpectedRevisionOption_20_6_0 = &exists206{StreamExists_20_6_0: empty}
	case o.GetNoStream() != nil:
		res.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: empty}
		number(math.MaxUint64)
	default:
		res.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: o.GetRevision()}
		number(o.GetRevision())
	}
	return &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: res}
}

// clampRevision makes a number of a revision that a client sent: what is beyond all
// numbers is never the present one.
func clampRevision(revision uint64) int64 { return int64(min(revision, math.MaxInt64-1)) }
