package storeurl

import (
	"context"
	"fmt"

	esdbrequests "sandglass/adapters/eventstoredb/requests"
	filerequests "sandglass/adapters/sqlite/requests"
	"sandglass/cmd/sandglass/buildinfo"
	"sandglass/domain/request"
	"sandglass/domain/stream"
)

// Requests is the store of requests beside a log, as the daemon uses it.
type Requests interface {
	request.Store
	Writable() error // says why nothing is kept now
	Close() error
}

// OpenRequests opens the store of requests beside a log, for the daemon that has opened the log
// for writing. What an operator should do about it is told.
func (p Place) OpenRequests(ctx context.Context, log Store) (Requests, error) {
	if p.Shared() {
		s, err := p.openESDBRequests(ctx)
		if err != nil {
			return nil, err
		}
		p.advise(ctx, s)
		return s, nil
	}
	path := filerequests.Path(p.Path())
	if filerequests.Missing(path) {
		if err := p.replaceRequests(ctx, path, log); err != nil {
			return nil, err
		}
	}
	s, err := filerequests.Open(path, filerequests.Options{Log: log.ID(), Told: p.tell, FreeSpaceFloor: p.floor()})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// createRequests makes what is to be there before the daemon starts.
func (p Place) createRequests(ctx context.Context) error {
	if p.Shared() {
		s, err := p.openESDBRequests(ctx)
		if err != nil {
			return err
		}
		p.advise(ctx, s)
		return s.Close()
	}
	if path := filerequests.Path(p.Path()); filerequests.Missing(path) {
		return filerequests.Create(path)
	}
	return nil // of a log that was here, whose invoices may yet be paid
}

// replaceRequests makes a file in the place of one that is missing. The log is not the poorer: what
// was paid is in it. But what was given out and not paid is not known any more.
func (p Place) replaceRequests(ctx context.Context, path string, log stream.EventStore) error {
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	if head > 0 {
		p.tell(fmt.Sprintf("%s is missing, and a new one is made: that is right after an upgrade from a build that had none; "+
			"else put the lost one back, or what orders that were not paid yet are paid by Lightning will be unallocated, and what comes "+
			"to their addresses is shown by \"sandglass audit reconcile\" alone", path))
	}
	return filerequests.Create(path)
}

func (p Place) openESDBRequests(ctx context.Context) (*esdbrequests.Store, error) {
	conn, err := p.connection()
	if err != nil {
		return nil, err
	}
	return esdbrequests.Open(ctx, conn, p.Namespace, esdbrequests.Options{Log: p.tell, Build: buildinfo.Read().Name()})
}

// advise tells what an operator should do about the streams of the requests.
func (p Place) advise(ctx context.Context, s *esdbrequests.Store) {
	switch advice, err := s.Advice(ctx); {
	case err != nil:
		p.tell("whether the streams of requests have the right $maxAge is not known: " + err.Error())
	case advice != "":
		p.tell(advice)
	}
}

func (p Place) tell(text string) {
	if p.Log != nil {
		p.Log(text)
	}
}
