// Package wire is the JSON of the HTTP API: what the server writes is what the client
// reads. The structs are views of their own; neither events nor states are shown.
//
// Amounts are whole millisatoshi (amount_msat), lengths of time whole milliseconds
// (time_ms), instants RFC 3339 in UTC with three decimals. All integers are JSON
// numbers of up to 63 bits: a client whose numbers are doubles, as JavaScript's are,
// reads those above 2^53 inexactly unless it parses them as big integers.
//
// The comments of the fields are their descriptions in the OpenAPI document: what is written
// there, clients read. Package openapi takes them from [Sources].
package wire

import (
	"embed"
	"strings"
)

//go:embed plan.go resource.go payment.go daemon.go wallet.go history.go log.go
var sources embed.FS

// Sources returns the source of the structs.
func Sources() embed.FS { return sources }

// OfRequests reports whether requests are made of a schema, and not answers alone.
func OfRequests(schema string) bool {
	return strings.HasSuffix(schema, "Request") || schema == "Price" || schema == "Warn" || schema == "Deep"
}
