package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"

	"github.com/spf13/cobra"
)

// build is what is known of how this binary was made.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildOf(info *debug.BuildInfo) build {
	b := build{Version: info.Main.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
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

func versionCmd(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Example: `  sandglass version
  sandglass version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = new(debug.BuildInfo)
			}
			b := buildOf(info)
			if e.JSON {
				return show.JSON(e.Stdout, b)
			}
			fmt.Fprintf(e.Stdout, "sandglass %s\n", show.OrDash(b.Version))
			if b.Revision != "" {
				modified := ""
				if b.Modified {
					modified = ", modified"
				}
				fmt.Fprintf(e.Stdout, "revision %s (%s%s)\n", b.Revision, b.Time, modified)
			}
			_, err := fmt.Fprintf(e.Stdout, "%s %s\n", b.Go, b.Platform)
			return err
		},
	}
}
