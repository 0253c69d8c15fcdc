package httpapi

import (
	"strings"

	"sandglass/adapters/httpapi/about"
	"sandglass/adapters/httpapi/openapi"
)

// define registers every call.
func (s *Server) define() (err error) {
	a := openapi.New(s.mux, about.Document(s.PublicURL), openapi.Bounds{Body: s.Limits.Body, Request: s.Limits.Request})
	s.definePlans(a)
	s.defineOrders(a)
	s.defineResources(a)
	s.defineOperator(a)
	s.defineAudit(a)
	s.defineDaemon(a)
	s.traits = a.Traits()
	s.openapi, err = a.Document(ofRequests)
	return err
}

// ofRequests reports whether requests are made of a schema of package wire.
func ofRequests(schema string) bool {
	return strings.HasSuffix(schema, "Request") || schema == "Price" || schema == "Warn" || schema == "Deep"
}
