package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/stream"
	"sandglass/domain/watch"
)

// api makes the HTTP server.
func (d *server) api() (*httpapi.Server, error) {
	operator, err := token("OPERATOR_TOKEN_FILE", d.OperatorTokenFile)
	if err != nil {
		return nil, err
	}
	auditor, err := token("AUDITOR_TOKEN_FILE", d.AuditorTokenFile)
	if err != nil {
		return nil, err
	}
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = buildOf(info).Version
	}
	options := httpapi.Options{
		Billing: d.billing, Views: d.views, Store: d.store, Components: d.components,
		Operator: operator, Auditor: auditor, TrustProxy: d.TrustProxy,
		Limits:  httpapi.Limits{Live: d.MaxLive, LivePer: d.MaxLivePer},
		Version: version, Now: now, Log: d.log, Registry: d.metrics.registry,
	}
	if d.chain != nil {
		options.Tip, options.Required = d.chain.Tip, d.billing.Required
	}
	return httpapi.New(options)
}

// token reads a bearer token from a file, and keeps its hash alone.
func token(name, path string) (httpapi.TokenHash, error) {
	const least = 20
	if path == "" {
		return httpapi.TokenHash{}, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return httpapi.TokenHash{}, fmt.Errorf("%s_%s: %w", prefix, name, err)
	}
	text := strings.TrimSpace(string(b))
	if len(text) < least {
		return httpapi.TokenHash{}, fmt.Errorf("%s_%s: %s holds %d characters: want a random token of %d or more", prefix, name, path, len(text), least)
	}
	return httpapi.HashToken(text), nil
}

// components says how the parts of the daemon are, for /readyz.
func (d *server) components() []wire.Component {
	h := d.watcher.Health()
	wallet := wire.Component{
		Name: "wallet", Ready: h.Condition == watch.Ready, State: string(h.Condition), Advice: h.Advice,
		Since: h.Since, Age: now().Sub(h.Since),
	}
	sweep := wire.Component{Name: "sweep", State: "waiting", Advice: "the wallet was not read yet: nothing expires, and no order is taken, until it was"}
	if h.LastSweep != 0 {
		sweep = wire.Component{Name: "sweep", Ready: true, State: "done", Since: h.LastSweep, Age: now().Sub(h.LastSweep)}
	}
	heard := wire.Component{Name: "wallet_stream", Ready: true, State: "silent"}
	if h.LastEvent != 0 {
		heard = wire.Component{Name: "wallet_stream", Ready: true, State: "heard", Since: h.LastEvent, Age: now().Sub(h.LastEvent)}
	}
	store := wire.Component{Name: "store", Ready: true, State: "writable"}
	if err := d.store.Writable(); err != nil {
		store.Ready, store.State, store.Advice = false, "read_only", err.Error()
		if errors.Is(err, stream.ErrUnavailable) {
			store.State = "unavailable"
		}
	}
	return append(append([]wire.Component{store, wallet, heard, sweep}, d.chainComponents()...), d.hostComponents()...)
}
