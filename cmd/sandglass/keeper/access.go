package keeper

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"sandglass/adapters/keepersocket"
	"sandglass/adapters/runfiles"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/access"

	"github.com/rs/zerolog"
)

// again is how long a socket that failed is left alone.
const again = 10 * time.Second

// answerDaemon tells the daemon how resources are reached, until ctx ends. That it can't stops nothing
// else.
func answerDaemon(ctx context.Context, folder *runfiles.Folder, with *enforcers, boot string, log zerolog.Logger) {
	odd := func(err error) { log.Error().Err(err).Msg("the keeper is asked what it does not answer") }
	r := access.New(access.Config{
		Folder: folder, Boot: boot, Now: sinceBoot,
		Ask: func(ctx context.Context, w *enforce.Want) ([]byte, error) { return with.access(ctx, folder, w) },
		Failed: func(id string, err error) {
			log.Warn().Err(err).Str("resource", id).Msg("how it is reached could not be learned")
		},
	})
	for {
		s, err := keepersocket.Listen(keepersocket.Options{Path: folder.Socket(), Daemon: folder.Daemon, Access: r.Access, Odd: odd})
		if err == nil {
			err = s.Run(ctx)
		}
		if err != nil {
			log.Error().Err(err).Stringer("again_in", again).Msg("nobody can ask how resources are reached")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// access has the enforcer of a resource say how it is reached. A unit can't be asked: it may leave a
// file.
func (e *enforcers) access(ctx context.Context, folder *runfiles.Folder, w *enforce.Want) ([]byte, error) {
	if w.Enforcer != enforce.Systemd {
		return e.executables.Access(ctx, w)
	}
	b, err := folder.Access(w.ID)
	if errors.Is(err, fs.ErrNotExist) {
		err = access.ErrNone
	}
	return b, err
}
