package main

import (
	"fmt"

	"sandglass/cmd/sandglass/buildinfo"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"

	"github.com/spf13/cobra"
)

func versionCmd(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Example: `  sandglass version
  sandglass version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := buildinfo.Read()
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
