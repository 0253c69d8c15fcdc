package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

// maxLine is far more than an event or a resource takes: 64 KiB of data, 64 KiB of
// metadata, and what is around them.
const maxLine = 16 << 20

// Live yields a resource as it is, and again whenever it changes. It ends after the
// resource is released, and with an error if the connection does: see [Client.Resuming].
func (c *Client) Live(ctx context.Context, id string) iter.Seq2[wire.Resource, error] {
	return resume(ctx, c, func(opened func()) iter.Seq2[wire.Resource, error] { return c.live(ctx, id, opened) })
}

func (c *Client) live(ctx context.Context, id string, opened func()) iter.Seq2[wire.Resource, error] {
	return func(yield func(wire.Resource, error) bool) {
		var last wire.Resource
		for data, err := range c.stream(ctx, resource(id, "/live"), event, opened) {
			if err == nil {
				last = wire.Resource{}
				err = json.Unmarshal(data, &last)
			}
			if !yield(last, err) || err != nil {
				return
			}
		}
		if last.Status != "released" {
			yield(last, fmt.Errorf("client: the daemon ended the stream: %w", io.ErrUnexpectedEOF))
		}
	}
}

// Events yields the records of the log after a position, in the order of commits. With
// follow it then waits for more, and ends only with an error. It takes the auditor's
// token or the operator's.
func (c *Client) Events(ctx context.Context, after uint64, follow bool) iter.Seq2[wire.Event, error] {
	resumed := resume(ctx, c, func(opened func()) iter.Seq2[wire.Event, error] { return c.events(ctx, &after, follow, opened) })
	return func(yield func(wire.Event, error) bool) {
		var recorded instant.Time // a cluster whose clock went back shows that to who begins anew after it
		for e, err := range resumed {
			recorded = max(recorded, e.RecordedAt)
			e.RecordedAt = recorded
			if !yield(e, err) {
				return
			}
		}
	}
}

// events moves after on with what it yields.
func (c *Client) events(ctx context.Context, after *uint64, follow bool, opened func()) iter.Seq2[wire.Event, error] {
	path := "/v1/events?from=" + strconv.FormatUint(*after, 10) + "&follow=" + strconv.FormatBool(follow)
	return func(yield func(wire.Event, error) bool) {
		for data, err := range c.stream(ctx, path, line, opened) {
			var e wire.Event
			if err == nil {
				err = json.Unmarshal(data, &e)
			}
			if err == nil {
				*after = e.Position
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if follow {
			yield(wire.Event{}, fmt.Errorf("client: the daemon ended the stream: %w", io.ErrUnexpectedEOF))
		}
	}
}

// stream yields what next finds in the body of an answer, until it ends, or nothing comes any
// more. opened is called once the answer is there.
func (c *Client) stream(
	ctx context.Context, path string, next func(*bufio.Scanner) ([]byte, bool), opened func(),
) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		quiet := time.AfterFunc(silence, func() { cancel(errSilent) })
		defer quiet.Stop()
		req, err := c.request(ctx, http.MethodGet, path, nil)
		if err != nil {
			yield(nil, err)
			return
		}
		res, err := c.open(req)
		if err != nil {
			yield(nil, err)
			return
		}
		quiet.Stop()
		defer res.Body.Close()
		opened()
		lines := bufio.NewScanner(&watched{res.Body, ctx, quiet})
		lines.Buffer(nil, maxLine)
		for {
			data, ok := next(lines)
			if !ok {
				break
			}
			if !yield(data, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("client: GET %s: %w", path, err))
		}
	}
}

// line returns the next line that is not empty.
func line(s *bufio.Scanner) ([]byte, bool) {
	for s.Scan() {
		if len(s.Bytes()) > 0 {
			return s.Bytes(), true
		}
	}
	return nil, false
}

// event returns the data of the next event "resource" of a stream of server-sent
// events. Comments, which are heartbeats, and events of other names are passed over.
func event(s *bufio.Scanner) ([]byte, bool) {
	var name, data []byte
	for s.Scan() {
		field, value, _ := bytes.Cut(s.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			name = bytes.Clone(value)
		case "data":
			data = append(data, value...)
		case "":
			if len(s.Bytes()) > 0 {
				continue // a comment
			}
			if string(name) == "resource" && data != nil {
				return data, true
			}
			name, data = nil, nil
		}
	}
	return nil, false
}
