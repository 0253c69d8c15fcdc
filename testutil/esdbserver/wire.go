package esdbserver

import (
	"encoding/binary"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// event puts a record into the protocol's words.
func event(r *record, ofAll bool) *streams.ReadResp {
	e := &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
				MostSignificantBits:  int64(binary.BigEndian.Uint64(r.id[:8])),
				LeastSignificantBits: int64(binary.BigEndian.Uint64(r.id[8:])),
			}}},
			StreamIdentifier: r.stream.identifier,
			StreamRevision:   uint64(r.number),
			PreparePosition:  uint64(r.position),
			CommitPosition:   uint64(r.position),
			Metadata: map[string]string{
				"type": r.kind.name, "content-type": r.kind.contentType, "created": strconv.FormatInt(r.created, 10),
			},
			CustomMetadata: r.meta,
			Data:           r.data,
		},
		Position: &streams.ReadResp_ReadEvent_NoPosition{NoPosition: &shared.Empty{}},
	}
	if ofAll {
		e.Position = &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(r.position)}
	}
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: e}}
}

func confirmation(id string) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: id},
	}}
}

func checkpoint(position int64) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{
		CommitPosition: uint64(position), PreparePosition: uint64(position),
	}}}
}

func caughtUp() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}
}
