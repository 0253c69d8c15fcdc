package keeper

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"sandglass/adapters/keeperstate"
	"sandglass/adapters/runfiles"
	"sandglass/domain/enforce"
	"sandglass/domain/enforce/lasting"
	"sandglass/domain/instant"

	"github.com/rs/zerolog"
)

// leaveEvery is how often what outlasts a power cut is left.
const leaveEvery = enforce.Boottime(10 * instant.Second)

// signs leaves durably when the keeper was last well, and what had gone down. It stands beside the keeper: a
// disk that hangs or is full holds up nothing else.
type signs struct {
	dir     string
	boot    string
	run     *runfiles.Folder
	log     zerolog.Logger
	outages *lasting.Outages
	well    atomic.Int64 // when the keeper was last well, as an [enforce.Boottime]; 0 before it has looked at all

	failed bool
}

// beat notes that the keeper is well.
func (s *signs) beat(sum enforce.Summary) {
	if sum.Looked {
		s.well.Store(int64(sinceBoot()))
	}
}

// keep leaves signs until ctx ends.
func (s *signs) keep(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	var left enforce.Boottime
	for {
		if at := enforce.Boottime(s.well.Load()); at > 0 && (left == 0 || at-left >= leaveEvery) {
			left = at
			s.tell(s.leave(at))
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// leave leaves the sign of an instant, behind those of former boots.
func (s *signs) leave(at enforce.Boottime) error {
	all, err := keeperstate.Load(s.dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, enforce.ErrDamaged) {
		all, err = new(lasting.Signs), nil
	}
	if err != nil {
		return err
	}
	heard, _ := s.run.Heard() // nothing, if no daemon has run in this boot
	all.Set(lasting.Boot{ID: s.boot, At: at, Down: s.outages.Since(lasting.HeardIn(heard, s.boot), at)})
	return keeperstate.Save(s.dir, all)
}

// tell logs once that nothing can be left, and that it can again.
func (s *signs) tell(err error) {
	if (err != nil) == s.failed {
		return
	}
	if s.failed = err != nil; s.failed {
		s.log.Error().Err(err).Str("folder", s.dir).Msg("a power cut while the daemon is dead would count from its last " +
			"mark, and not from this keeper's: StateDirectory=sandglass-keeper in its unit makes the folder")
		return
	}
	s.log.Info().Str("folder", s.dir).Msg("signs of life are left on disk")
}
