package tour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"sandglass/scripts/enforcers"
	"sandglass/testutil/devnet/process"
)

// keeper is a `sandglass keeper` beside the daemon, as the same user. What it starts are programs of
// this machine: the plan server rents out an application server, which is [Tour.Program].
type keeper struct {
	child
	dir   *process.Dir // of its executables: it need not be in memory, where often none may be run
	run   string       // SANDGLASS_RUN_DIR
	lease *os.File     // a FIFO: what the keeper has started ends once nobody has it open, if we are killed too
}

// newKeeper makes what a keeper needs, and tells the daemon.
func newKeeper(d *daemon, program string) (k *keeper, err error) {
	k = &keeper{run: filepath.Join(filepath.Dir(d.log), "run")}
	if err := os.Mkdir(k.run, 0o750); err != nil {
		return nil, err
	}
	if k.dir, err = process.NewDir(os.TempDir()); err != nil {
		return nil, err
	}
	d.env = append(d.env, "SANDGLASS_RUN_DIR="+k.run)
	k.child = child{name: "the keeper", log: filepath.Join(k.dir.Path, "keeper.log")}
	fifo := filepath.Join(k.dir.Path, "lease")
	server := fmt.Sprintf("#!/bin/sh\nif [ -e %s\"$SANDGLASS_RESOURCE\" ]; then exit 1; fi\n"+
		"exec %s app --while %s --address-file \"$SANDGLASS_STATE_DIR/$SANDGLASS_RESOURCE.access\"\n",
		quote(k.broken("")), quote(program), quote(fifo))
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

func (k *keeper) file(names ...string) string {
	return filepath.Join(append([]string{k.dir.Path}, names...)...)
}

// broken is the file whose being there keeps a server from starting.
func (k *keeper) broken(id string) string { return k.file("broken-" + id) }

// access is the file in which a server says where it answers.
func (k *keeper) access(id string) string {
	return filepath.Join(k.run, "enforcers", "process", id+".access")
}

// start starts the keeper. What it finds wanted it does.
func (k *keeper) start(d *daemon) error {
	return k.begin(d.command(context.Background(), []string{
		"SANDGLASS_ENFORCERS=" + k.file("enforcers"), "ENFORCER_PROGRAMS=" + k.file("programs"), "ENFORCER_GRACE=5",
	}, "keeper"))
}

// end stops the keeper, and then what it has started.
func (k *keeper) end() error { return errors.Join(k.stop(), k.lease.Close(), k.dir.Remove()) }
