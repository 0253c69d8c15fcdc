// Package cli is what all commands of sandglass have in common: the flags of the root, the
// streams that they read and write, the client of the daemon in a role with its secret,
// and errors with the exit status that each stands for.
package cli

import (
	"io"
	"os"

	"sandglass/cmd/sandglass/config"

	"github.com/spf13/cobra"
)

// Variables that the tools read. Tokens and keys never stand in an argument, which
// every user of the machine can see.
const (
	EnvURL      = config.Prefix + "_URL"
	EnvHolder   = config.Prefix + "_HOLDER_KEY"
	envOperator = config.Prefix + "_OPERATOR_TOKEN_FILE"
	envAuditor  = config.Prefix + "_AUDITOR_TOKEN_FILE"
	defaultURL  = "http://127.0.0.1:8420"
)

// Env is what a command is run with: the flags of the root, and the streams.
type Env struct {
	JSON bool // print JSON instead of text for people

	url           string
	tokenFile     string
	holderKeyFile string

	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// URL is where the daemon answers.
func (e *Env) URL() string { return e.url }

// AddFlags gives the flags that all commands have to the root.
func (e *Env) AddFlags(root *cobra.Command) {
	base := os.Getenv(EnvURL)
	if base == "" {
		base = defaultURL
	}
	f := root.PersistentFlags()
	f.StringVar(&e.url, "url", base, "where the daemon answers; $"+EnvURL)
	f.BoolVar(&e.JSON, "json", false, "print JSON instead of text for people")
	f.StringVar(&e.tokenFile, "token-file", "",
		"`file` with the operator's or auditor's token, - for stdin; $"+envOperator+", $"+envAuditor)
	f.StringVar(&e.holderKeyFile, "holder-key-file", "",
		"`file` with the holder key of a resource, - for stdin; the key itself may stand in $"+EnvHolder)
}
