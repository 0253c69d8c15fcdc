package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sandglass/domain/instant"
	"sandglass/projections"
)

// snapshotName is what the daemon calls the snapshot in its state folder.
const snapshotName = "snapshot.bin"

func startup(ctx context.Context, b *bench) error {
	path, err := b.million(ctx)
	if err != nil {
		return err
	}
	state := filepath.Dir(path)
	size, err := saveSnapshot(ctx, path, filepath.Join(state, snapshotName))
	if err != nil {
		return err
	}
	b.say("the snapshot has %d MB", size>>20)
	var library, daemon []float64
	for r := range b.rounds {
		b.say("round %d of %d", r+1, b.rounds)
		took, err := b.probe(ctx, path)
		if err != nil {
			return err
		}
		library = append(library, took)
	}
	b.add("open the log, load the snapshot, catch up", "s", library)
	if len(daemon) > 0 {
		b.add("from exec of the daemon to its readiness", "s", daemon).target(atMost(3))
	}
	return nil
}

// saveSnapshot folds a log and saves the views, and returns the size of the file.
func saveSnapshot(ctx context.Context, path, to string) (int64, error) {
	s, err := openStore(path)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	v, err := fold(ctx, s)
	if err != nil {
		return 0, err
	}
	if err := v.Save(to, s.ID()); err != nil {
		return 0, err
	}
	info, err := os.Stat(to)
	if err != nil {
		return 0, err
	}
	return info.Size(), s.Close()
}

// probeArg makes this program a process that only starts, as the daemon does, and says
// how many seconds that took.
const probeArg = "probe"

func (b *bench) probe(ctx context.Context, path string) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	cmd := exec.CommandContext(ctx, self, probeArg, path, strconv.FormatInt(start.UnixNano(), 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

func probe(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 2 {
		return errors.New("probe wants a log and when it was started")
	}
	start, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	s, err := openStore(args[0])
	if err != nil {
		return err
	}
	defer s.Close()
	v := projections.New(instant.Hour)
	if err := v.Load(filepath.Join(filepath.Dir(args[0]), snapshotName), s.ID()); err != nil {
		return err
	}
	if err := catchUp(ctx, s, v); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, time.Since(time.Unix(0, start)).Seconds())
	return err
}
