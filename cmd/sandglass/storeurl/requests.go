package storeurl

import (
	"context"
	"fmt"
	"strings"

	esdbrequests "sandglass/adapters/eventstoredb/requests"
	filerequests "sandglass/adapters/sqlite/requests"
	"sandglass/cmd/sandglass/buildinfo"
	"sandglass/domain/request"
	"sandglass/domain/stream"
)

// Requests is the store of requests beside a log, as the daemon uses it.
type Requests interface {
	store
	Advice() string // what an operator should know of what was found when it was opened, or nothing
}

// store is a store of requests, in a file or in a cluster.
type store interface {
	request.Store
	Writable() error // says why nothing is kept now
	Close() error
}

// advised is a store, and what was told of it.
type advised struct {
	store
	told string
}

// Advice implements [Requests].
func (a *advised) Advice() string { return a.told }

// tell tells something, which is the advice from now on.
func (a *advised) tell(p Place, text string) {
	if text != "" {
		a.told = strings.TrimPrefix(a.told+"; "+text, "; ")
		p.tell(text)
	}
}

// OpenRequests opens the store of requests beside a log, for the daemon that has opened the log
// for writing. What an operator should do about it is told, and is its advice.
func (p Place) OpenRequests(ctx context.Context, log Store) (Requests, error) {
	a := new(advised)
	if p.Shared() {
		s, err := p.openESDBRequests(ctx)
		if err != nil {
			return nil, err
		}
		a.store = s
		a.tell(p, adviceOn(ctx, s))
		return a, nil
	}
	path := filerequests.Path(p.Path())
	if filerequests.Missing(path) {
		text, err := replaceRequests(ctx, path, log)
		if err != nil {
			return nil, err
		}
		a.tell(p, text)
	}
	told := func(text string) { a.tell(p, text) }
	s, err := filerequests.Open(path, filerequests.Options{Log: log.ID(), Told: told, FreeSpaceFloor: p.floor()})
	if err != nil {
		return nil, err
	}
	a.store = s
	return a, nil
}

// createRequests makes what is to be there before the daemon starts.
func (p Place) createRequests(ctx context.Context) error {
	if p.Shared() {
		s, err := p.openESDBRequests(ctx)
		if err != nil {
			return err
		}
		new(advised).tell(p, adviceOn(ctx, s))
		return s.Close()
	}
	if path := filerequests.Path(p.Path()); filerequests.Missing(path) {
		return filerequests.Create(path)
	}
	return nil // of a log that was here, whose invoices may yet be paid
}

// replaceRequests makes a file in the place of one that is missing. The log is not the poorer: what
// was paid is in it. But what was given out and not paid is not known any more, which it says.
func replaceRequests(ctx context.Context, path string, log stream.EventStore) (text string, err error) {
	head, err := log.Head(ctx)
	if err != nil {
		return "", err
	}
	if head > 0 {
		text = fmt.Sprintf("%s was missing, and a new one is made: that is right after an upgrade from a build that had none; "+
			"else put the lost one back, or what orders that were not paid yet are paid by Lightning will be unallocated, and what comes "+
			"to their addresses is shown by \"sandglass audit reconcile\" alone: look there each day for a while, and see "+
			"\"Lost requests\" in systemd/MANUAL.md", path)
	}
	return text, filerequests.Create(path)
}

func (p Place) openESDBRequests(ctx context.Context) (*esdbrequests.Store, error) {
	conn, err := p.connection()
	if err != nil {
		return nil, err
	}
	return esdbrequests.Open(ctx, conn, p.Namespace, esdbrequests.Options{Log: p.tell, Build: buildinfo.Read().Name()})
}

// adviceOn returns what an operator should do about the streams of the requests.
func adviceOn(ctx context.Context, s *esdbrequests.Store) string {
	advice, err := s.Advice(ctx)
	if err != nil {
		return "whether the streams of requests have the right $maxAge is not known: " + err.Error()
	}
	return advice
}

func (p Place) tell(text string) {
	if p.Log != nil {
		p.Log(text)
	}
}
