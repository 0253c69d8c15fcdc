package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sandglass/testutil/bench/harness"
	"sandglass/testutil/fakelnd"
)

// snapshotName is what the daemon calls the snapshot in its state folder.
const snapshotName = "snapshot.bin"

func startup(ctx context.Context, b *harness.Bench) error {
	log, err := b.Million(ctx)
	if err != nil {
		return err
	}
	snapshot := filepath.Join(filepath.Dir(log), snapshotName)
	size, err := saveSnapshot(ctx, log, snapshot)
	if err != nil {
		return err
	}
	wallet, err := newWallet(b, "startup-lnd")
	if err != nil {
		return err
	}
	// Without a wallet the daemon comes up all the same, and does not begin to debit a
	// million resources, which would be another measure.
	wallet.Kill()
	var with, without []float64
	for r := range b.Rounds {
		b.Say("round %d of %d", r+1, b.Rounds)
		took, err := start(ctx, b, log, wallet)
		if err != nil {
			return err
		}
		with = append(with, took)
		if err := os.Rename(snapshot, snapshot+".away"); err != nil {
			return err
		}
		if took, err = start(ctx, b, log, wallet); err != nil {
			return err
		}
		without = append(without, took)
		if err := os.Rename(snapshot+".away", snapshot); err != nil {
			return err
		}
	}
	b.Add("without a snapshot", "s", without)
	b.Add("with a snapshot", "s", with).
		Within(harness.AtMost(3)).
		Against("faster than without", without, with, nil).
		Noting(fmt.Sprintf("from exec of the daemon to /readyz calling the views ready; "+
			"%d resources, a snapshot of %d MB, both files in the page cache", b.Many, size>>20))
	return nil
}

// saveSnapshot folds a log and saves the views, and returns the size of the file.
func saveSnapshot(ctx context.Context, path, to string) (int64, error) {
	s, err := harness.OpenStore(path)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	v, err := harness.Fold(ctx, s)
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

// start returns how many seconds the daemon takes until its views are ready.
func start(ctx context.Context, b *harness.Bench, log string, wallet *fakelnd.Lnd) (float64, error) {
	begin := time.Now()
	d, err := startDaemon(b, log, wallet)
	if err != nil {
		return 0, err
	}
	defer d.kill()
	err = d.until(ctx, "views")
	return time.Since(begin).Seconds(), err
}
