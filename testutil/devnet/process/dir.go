package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	shm     = "/dev/shm" // memory: two to three times the payments of a disk
	shmRoom = 512 << 20  // bytes that must be free there
	prefix  = "sandglass-devnet-"
)

// A Dir is a folder that goes when its owner does. Its name holds the
// owner's pid and start time, by which a later [NewDir] sees that it is orphaned,
// should even the reaper have been killed.
type Dir struct {
	Path string

	owner  io.WriteCloser // the reaper's input, which the kernel closes when we die
	reaper *exec.Cmd
}

// reap waits until its input ends. A line on it means that the nodes are gone
// already; without one the owner was killed, and they are dying at this moment.
const reap = `
trap '' INT TERM HUP
read -r farewell
rm -rf -- "$1"
[ "$farewell" ] && exit
for i in 1 2 3 4 5; do sleep 0.1; rm -rf -- "$1"; done`

// NewDir makes a folder below parent, or in memory if that is "" and there is room. It
// removes those below parent whose owners are gone.
func NewDir(parent string) (*Dir, error) {
	if parent == "" {
		parent = dataParent()
	}
	sweep(parent)
	path, err := os.MkdirTemp(parent, prefix+owner(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: path, reaper: exec.Command("sh", "-c", reap, prefix+"reaper", path)}
	d.reaper.Dir = "/"
	d.reaper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if d.owner, err = d.reaper.StdinPipe(); err == nil {
		err = d.reaper.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the reaper of %s: %w", path, err), os.RemoveAll(path))
	}
	return d, nil
}

// Remove has the reaper remove the folder. Nobody may write to it any more.
func (d *Dir) Remove() error {
	_, err := io.WriteString(d.owner, "gone\n")
	return errors.Join(err, d.owner.Close(), d.reaper.Wait())
}

func dataParent() string {
	var fs syscall.Statfs_t
	const w_ok = 2
	if syscall.Access(shm, w_ok) == nil && syscall.Statfs(shm, &fs) == nil && fs.Bavail*uint64(fs.Bsize) >= shmRoom {
		return shm
	}
	return os.TempDir()
}

// owner names a process for as long as the machine runs: pids are used again,
// a pid with its start time is not. It is "" if there is no such process.
func owner(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is a name in parentheses, which may hold anything; the
	// start time is the 22nd.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return fmt.Sprintf("%d-%s", pid, fields[19])
}

// sweep removes the folders whose owner is gone. That it can't remove one, which
// may be another user's, keeps nobody from starting.
func sweep(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		parts := strings.Split(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		pid, err := strconv.Atoi(parts[0])
		if err == nil && len(parts) == 3 && owner(pid) != parts[0]+"-"+parts[1] {
			_ = os.RemoveAll(dir)
		}
	}
}
