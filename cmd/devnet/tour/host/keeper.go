package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sandglass/scripts/enforcers"
	"sandglass/testutil/devnet/process"
)

// Keeper is a `sandglass keeper` beside the daemon, as the same user. What it starts are programs of
// this machine.
type Keeper struct {
	child
	dir   *process.Dir // of its executables: it need not be in memory, where often none may be run
	run   string       // SANDGLASS_RUN_DIR
	lease *os.File     // a FIFO: what the keeper has started ends once nobody has it open, if we are killed too
}

// NewKeeper makes what a keeper needs, and tells the daemon. What is rented out as "server" is the
// program at that path, of which "app" serves.
func NewKeeper(d *Daemon, program string) (k *Keeper, err error) {
	k = &Keeper{run: filepath.Join(filepath.Dir(d.Log), "run")}
	if err := os.Mkdir(k.run, 0o750); err != nil {
		return nil, err
	}
	if k.dir, err = process.NewDir(os.TempDir()); err != nil {
		return nil, err
	}
	d.Env = append(d.Env, "SANDGLASS_RUN_DIR="+k.run, "SANDGLASS_KEEPER_STATE_DIR="+k.run)
	k.child = child{name: "the keeper", Log: filepath.Join(k.dir.Path, "keeper.log")}
	fifo := filepath.Join(k.dir.Path, "lease")
	server := fmt.Sprintf("#!/bin/sh\nif [ -e %s\"$SANDGLASS_RESOURCE\" ]; then exit 1; fi\n"+
		"exec %s app --while %s --address-file \"$SANDGLASS_STATE_DIR/$SANDGLASS_RESOURCE.access\"\n",
		Quote(k.Broken("")), Quote(program), Quote(fifo))
	err = errors.Join(
		syscall.Mkfifo(fifo, 0o600),
		os.Mkdir(k.file("enforcers"), 0o755), os.WriteFile(k.file("enforcers", "process"), enforcers.Process, 0o755),
		os.Mkdir(k.file("programs"), 0o755), os.WriteFile(k.file("programs", "server"), []byte(server), 0o755))
	if err == nil {
		k.lease, err = os.OpenFile(fifo, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, errors.Join(err, k.dir.Remove())
	}
	return k, nil
}

func (k *Keeper) file(names ...string) string {
	return filepath.Join(append([]string{k.dir.Path}, names...)...)
}

// Broken is the file whose being there keeps a server from starting.
func (k *Keeper) Broken(id string) string { return k.file("broken-" + id) }

// Access is the file in which a server says where it answers.
func (k *Keeper) Access(id string) string {
	return filepath.Join(k.run, "enforcers", "process", id+".access")
}

// Start starts the keeper. What it finds wanted it does.
func (k *Keeper) Start(d *Daemon) error {
	return k.begin(d.Command(context.Background(), []string{
		"SANDGLASS_ENFORCERS=" + k.file("enforcers"), "ENFORCER_PROGRAMS=" + k.file("programs"), "ENFORCER_GRACE=5",
	}, "keeper"))
}

// End stops the keeper, and then what it has started.
func (k *Keeper) End() error { return errors.Join(k.Stop(), k.lease.Close(), k.dir.Remove()) }

// Quote returns s as a word of a shell.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
