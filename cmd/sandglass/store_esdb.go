package main

import (
	"context"
	"errors"
)

var errNoESDB = errors.New("this build has no client of EventStoreDB: take a store such as sqlite:sandglass.db")

// openESDB opens the log of a namespace in a cluster.
func openESDB(_ context.Context, _, _ string, _ func(string)) (importer, error) {
	return nil, errNoESDB
}

// createESDB makes the log of a namespace in a cluster.
func createESDB(_ context.Context, _, _ string, _ func(string)) error { return errNoESDB }
