package keeper

import (
	"os"
	"runtime/debug"
)

// What a keeper's heap and stacks should stay below: those of 10,000 wants do. What it occupies beside is
// the file of the one program, up to 27 MB of it, which it shares with the daemon, and which the kernel
// takes away and reads again as it likes.
const (
	memoryLimit = 20 << 20
	gcPercent   = 50
)

// spareMemory has the collector prefer room to time, unless the environment says otherwise.
func spareMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	debug.FreeOSMemory() // what the start of all packages of the one program left behind
}
