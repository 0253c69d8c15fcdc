package eventstoredb

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// The latest checkpoint of the log shop is the last event of the stream shop-checkpoints, which is not
// of the log: its name does not begin with the log's. An operator gives it a $maxCount, so that the
// server forgets those before.
const (
	checkpointType = "checkpoint.signed.v1"
	checkpointRoom = 10 // the $maxCount that it should have
)

// signed is the event of a checkpoint.
type signed struct {
	Note string `json:"note"`
}

func (s *Store) checkpoints() string { return s.namespace + "-checkpoints" }

// Checkpoint implements [checkpoint.Store]. It asks the leader. A version is one more than a revision.
func (s *Store) Checkpoint(ctx context.Context) (note []byte, version int64, err error) {
	name := s.checkpoints()
	events, err := cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
		left := cluster.Left(ctx)
		rs, err := c.ReadStream(ctx, name, esdb.ReadStreamOptions{
			Direction: esdb.Backwards, From: esdb.End{}, Deadline: &left, RequiresLeader: true,
		}, 1)
		return cluster.Collect("reading "+name, rs, err, nil)
	})
	if err != nil || len(events) == 0 {
		return nil, 0, err
	}
	return noteIn(name, events[0])
}

// noteIn returns what the last event of the stream of checkpoints holds.
func noteIn(name string, last *esdb.RecordedEvent) (note []byte, version int64, err error) {
	version = int64(last.EventNumber) + 1
	var e signed
	why := fmt.Errorf("its type should be %s", checkpointType)
	if last.EventType == checkpointType {
		if why = json.Unmarshal(last.Data, &e); why == nil {
			why = checkpoint.CheckNote([]byte(e.Note))
		}
	}
	if why != nil {
		return nil, version, fmt.Errorf("eventstoredb: the stream %s ends with event %d, of type %.100q, written at %s: %w: %w",
			name, last.EventNumber, last.EventType, last.CreatedDate.UTC().Format(time.RFC3339), checkpoint.ErrForeign, why)
	}
	return []byte(e.Note), version, nil
}

// SwapCheckpoint implements [checkpoint.Store]. One whose answer was lost is made again, with the same id
// at the same place.
func (s *Store) SwapCheckpoint(ctx context.Context, version int64, note []byte) error {
	if s.readOnly {
		return errReadOnly
	}
	if err := checkpoint.CheckNote(note); err != nil {
		return err
	}
	data, err := json.Marshal(signed{string(note)})
	if err != nil {
		return err
	}
	name := s.checkpoints()
	event := esdb.EventData{
		EventID: checkpointID(name, version, note), EventType: checkpointType, ContentType: esdb.ContentTypeJson, Data: data,
	}
	_, err = s.append(ctx, name, stream.Revision(version-1), []esdb.EventData{event})
	if !errors.Is(err, stream.ErrWrongRevision) {
		return err
	}
	there, now, readErr := s.Checkpoint(ctx)
	switch {
	case readErr != nil && !errors.Is(readErr, checkpoint.ErrForeign):
		return readErr
	case now == version+1 && bytes.Equal(there, note):
		return nil
	}
	return fmt.Errorf("eventstoredb: %s has version %d, not %d: %w", name, now, version, checkpoint.ErrMoved)
}

// checkpointID is that of what stands at a version of a stream.
func checkpointID(name string, version int64, note []byte) uuid.UUID {
	at := binary.BigEndian.AppendUint64([]byte(name+"\x00"), uint64(version))
	return uuid.NewSHA1(uuid.NameSpaceOID, append(at, note...))
}

// Advice returns what an operator should do about the stream of checkpoints, in a sentence, or nothing.
func (s *Store) Advice(ctx context.Context) (string, error) {
	name := s.checkpoints()
	kept, err := cluster.Call(ctx, s.cluster, func(ctx context.Context, c *esdb.Client) (*uint64, error) {
		left := cluster.Left(ctx)
		m, err := c.GetStreamMetadata(ctx, name, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}, Deadline: &left})
		if cluster.NoStream(err) {
			return nil, nil
		}
		if err != nil {
			return nil, cluster.Words("reading the metadata of "+name, err)
		}
		return m.MaxCount(), nil
	})
	if err != nil || kept != nil {
		return "", err
	}
	return fmt.Sprintf("the stream %s has no $maxCount, so that each checkpoint stays for good: an administrator sets it to %d, "+
		"once (systemd/MANUAL.md, \"On a cluster\")", name, checkpointRoom), nil
}
