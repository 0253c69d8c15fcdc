package wire

import (
	"encoding/json"

	"sandglass/domain/instant"
)

// Event is a line of GET /v1/events: a record of the log.
type Event struct {
	// Its place in the log. It grows, with gaps.
	Position uint64 `json:"position" example:"42"`
	Stream   string `json:"stream" example:"resource-web-1"`
	// Its place in its stream, from 0.
	Revision int64 `json:"revision" example:"0"`
	// A UUID of version 5 that follows from the content.
	ID   string `json:"id" example:"6f2a5c1e-7a0b-5d3c-9e4f-0a1b2c3d4e5f"`
	Type string `json:"type" example:"resource.opened.v1"`
	// When it took effect.
	At instant.Time `json:"at" format:"date-time" example:"2026-01-02T03:04:05.678Z"`
	// When it was written.
	RecordedAt instant.Time `json:"recorded_at" format:"date-time" example:"2026-01-02T03:04:05.690Z"`
	// The payload, byte by byte as it is kept.
	Data json.RawMessage `json:"data"`
	// Who asked, and the ids of the request and the event that caused it.
	Meta json.RawMessage `json:"meta,omitempty"`
}

// Component is a part of the daemon, and whether it is ready.
type Component struct {
	Name  string `json:"name" example:"wallet"`
	Ready bool   `json:"ready"`
	// In a word. This and what follows is for who shows the auditor's token or the operator's.
	State string `json:"state,omitempty" example:"locked"`
	// What it lacks, and what to do.
	Advice string `json:"advice,omitempty" example:"unlock the wallet: lncli unlock"`
	// Since when it is in this state, if that is known.
	Since instant.Time `json:"since,omitzero" format:"date-time"`
	// How long that is, in milliseconds.
	Age instant.Millis `json:"age_ms,omitempty"`
}

// Ready is the answer to GET /readyz.
type Ready struct {
	// Whether every component is.
	Ready bool `json:"ready"`
	// The position of the log that the read models hold, for the same.
	Position   uint64      `json:"position,omitempty"`
	Components []Component `json:"components" nullable:"false"`
}

// About is the answer to GET /.
type About struct {
	Name        string `json:"name" example:"sandglass"`
	Version     string `json:"version,omitempty"`
	Description string `json:"description"`
	OpenAPI     string `json:"openapi" example:"/openapi.json"`
}

// Problem is an error, as RFC 9457 has it.
type Problem struct {
	// A name of the kind of problem that never changes.
	Type string `json:"type" example:"urn:sandglass:problem:unknown_plan"`
	// The kind of problem in words.
	Title string `json:"title" example:"Unknown plan"`
	// The HTTP status.
	Status int `json:"status" example:"404"`
	// What was wrong, and what would be right.
	Detail string `json:"detail" example:"no plan \"x\": GET /v1/plans lists what is on offer"`
	// The kind of problem as a word for programs.
	Code string `json:"code" example:"unknown_plan"`
	// Names the request in the log lines of the operator.
	RequestID string `json:"request_id,omitempty" example:"0198c5a2-7b6e-7f00-8000-000000000000"`
	// Each thing that was wrong with the request.
	Errors []Fault `json:"errors,omitempty" nullable:"false"`
}

// Fault is one thing that was wrong with a request.
type Fault struct {
	// Where.
	Location string `json:"location,omitempty" example:"body.time_ms"`
	// What was wrong, or would be right.
	Message string `json:"message" example:"expected number >= 1"`
}
