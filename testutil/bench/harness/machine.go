package harness

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine is where it was measured.
type machine struct {
	Cores      int    `json:"cores"`
	CPU        string `json:"cpu"`
	Go         string `json:"go"`
	OS         string `json:"os"`
	Filesystem string `json:"filesystem"` // of the data
}

func thisMachine(data string) machine {
	return machine{
		Cores: runtime.NumCPU(), CPU: cpuModel(), Go: runtime.Version(),
		OS: runtime.GOOS + "/" + runtime.GOARCH, Filesystem: filesystem(data),
	}
}

func (m *machine) print(w io.Writer) {
	fmt.Fprintf(w, "%d cores of %s, %s, %s, data on %s\n", m.Cores, m.CPU, m.OS, m.Go, m.Filesystem)
	if m.Filesystem == "tmpfs" {
		fmt.Fprintln(w, "a tmpfs does not make anything durable: give --dir a folder on a disk")
	}
}

func cpuModel() string {
	for line := range lines("/proc/cpuinfo") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown model"
}

// loadAverage returns how many processes wanted to run, in the last 1, 5 and 15 minutes.
func loadAverage() string {
	for line := range lines("/proc/loadavg") {
		if f := strings.Fields(line); len(f) >= 3 {
			return strings.Join(f[:3], " ")
		}
	}
	return "unknown"
}

// CPUTime returns how long this process has computed, which is less than the time that
// passed when others compute too.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// filesystem returns the type of the one that is mounted deepest above path.
func filesystem(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return "unknown"
	}
	best, typ := "", "unknown"
	for line := range lines("/proc/self/mounts") {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < len(best) {
			continue
		}
		if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(f[1], "/")); ok && (rest == "" || rest[0] == '/') {
			best, typ = f[1], f[2]
		}
	}
	return typ
}

// lines yields the lines of a file, none if it can't be read.
func lines(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		f, err := os.Open(path)
		if err != nil {
			return
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if !yield(s.Text()) {
				return
			}
		}
	}
}

// Heap returns how many bytes live objects take.
func Heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one found finalizers for
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
