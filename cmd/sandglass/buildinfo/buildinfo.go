// Package buildinfo says which build this binary is.
package buildinfo

import (
	"runtime"
	"runtime/debug"
)

// Build is what is known of how a binary was made.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Read returns what the binary says of itself.
func Read() Build {
	b := Build{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// unnamed is the version of a build that was not made from a commit.
const unnamed = "(devel)"

// Name returns by what a person finds the build again, such as "sandglass v0.2.0", or nothing
// where it was not made from a commit.
func (b Build) Name() string {
	switch {
	case b.Version != "" && b.Version != unnamed:
		return "sandglass " + b.Version
	case b.Revision != "":
		return "sandglass " + b.Revision
	}
	return ""
}
