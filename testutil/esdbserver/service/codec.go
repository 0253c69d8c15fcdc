package service

import (
	"encoding/binary"
	"strconv"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"sandglass/testutil/esdbserver/eventlog"
)

// sent is an event on its way to a client. A benchmark of a client shares its processors
// with this server, so events are written to the wire without the messages, pointers and
// maps that they would otherwise first become.
type sent struct {
	*eventlog.Record
	ofAll bool // it is read from the log, and so tells its position there
}

// Codec is protobuf's, and knows how to write a sent event.
type Codec struct{ encoding.CodecV2 }

// NewCodec returns the codec that the server of [Streams] needs.
func NewCodec() Codec { return Codec{encoding.GetCodecV2(proto.Name)} }

// Marshal implements [encoding.CodecV2].
func (c Codec) Marshal(v any) (mem.BufferSlice, error) {
	if e, ok := v.(sent); ok {
		return mem.BufferSlice{mem.SliceBuffer(e.wire())}, nil
	}
	return c.CodecV2.Marshal(v)
}

// room is left for what stands before the event: two tags and two lengths.
const room = 2 * (1 + binary.MaxVarintLen32)

// wire returns a ReadResp whose event is a ReadEvent whose event is the RecordedEvent.
func (e sent) wire() []byte {
	b := make([]byte, room, room+144+len(e.Stream.Encoded)+len(e.Kind.Encoded)+len(e.Meta)+len(e.Data))
	b = appendID(b, e.ID)
	b = append(b, e.Stream.Encoded...)
	b = appendNumber(b, 3, uint64(e.Number))
	b = appendNumber(b, 4, uint64(e.Position))
	b = appendNumber(b, 5, uint64(e.Position))
	b = append(b, e.Kind.Encoded...)
	b = appendProperty(b, "created", strconv.FormatInt(e.Created, 10))
	b = appendBytes(b, 7, e.Meta)
	b = appendBytes(b, 8, e.Data)
	recorded := len(b) - room
	if e.ofAll {
		b = appendNumber(b, 3, uint64(e.Position))
	} else {
		b = appendHead(b, 4, 0) // no_position
	}
	var one, two [room]byte
	inner := appendHead(two[:0], 1, recorded)
	outer := appendHead(one[:0], 1, len(inner)+len(b)-room)
	b = b[room-len(outer)-len(inner):]
	copy(b[copy(b, outer):], inner)
	return b
}

func appendHead(b []byte, field protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(size))
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func appendBytes[T string | []byte](b []byte, field protowire.Number, v T) []byte {
	return append(appendHead(b, field, len(v)), v...)
}

// appendID writes the UUID as its two halves, which the field "structured" holds.
func appendID(b []byte, id eventlog.ID) []byte {
	var half [2 * (1 + binary.MaxVarintLen64)]byte
	halves := appendNumber(half[:0], 1, binary.BigEndian.Uint64(id[:8]))
	halves = appendNumber(halves, 2, binary.BigEndian.Uint64(id[8:]))
	b = appendHead(b, 1, protowire.SizeTag(1)+protowire.SizeBytes(len(halves)))
	return appendBytes(b, 1, halves)
}

// appendProperty writes an entry of the event's metadata.
func appendProperty(b []byte, key, value string) []byte {
	size := protowire.SizeTag(1) + protowire.SizeBytes(len(key)) + protowire.SizeTag(2) + protowire.SizeBytes(len(value))
	return appendBytes(appendBytes(appendHead(b, 6, size), 1, key), 2, value)
}

// EncodeStream returns the field that names a stream.
func EncodeStream(name string) []byte {
	b := appendHead(nil, 2, protowire.SizeTag(3)+protowire.SizeBytes(len(name)))
	return appendBytes(b, 3, name)
}

// EncodeKind returns the metadata that all events of a kind have.
func EncodeKind(name, contentType string) []byte {
	return appendProperty(appendProperty(nil, "type", name), "content-type", contentType)
}
