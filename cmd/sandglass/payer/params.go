package payer

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"sandglass/cmd/sandglass/cli"
	"sandglass/domain/plan/param"

	"github.com/spf13/cobra"
)

// said reads what is said of a resource: NAME=VALUE, where @FILE stands for what is in a file, without a
// line's end at its end, and @- for what is on stdin.
func (c commands) said(texts []string) (map[string]string, error) {
	said := map[string]string{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := said[name]; !ok || twice || !param.IsName(name) {
			return nil, cli.Usage("%.60q: want NAME=VALUE, each name once: ssh_key=@id.pub", text)
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			var err error
			if value, err = c.content(file); err != nil {
				return nil, fmt.Errorf("the parameter %s: %w", name, err)
			}
		}
		said[name] = value
	}
	return said, nil
}

// content reads a file, or stdin, that can be a value.
func (c commands) content(file string) (string, error) {
	from := c.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, param.MaxValue+2))
	if err != nil {
		return "", err
	}
	if b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r")); len(b) > param.MaxValue {
		return "", fmt.Errorf("%s has more than %d bytes", file, param.MaxValue)
	}
	return string(b), nil
}

// saidHelp says how values are given.
const saidHelp = `A value is text; @FILE is what is in a file, such as ssh_key=@id.pub, and @- what is on stdin.`

func resourceSetCmd(c commands) *cobra.Command {
	var del bool
	cmd := &cobra.Command{
		Use:   "set ID NAME=VALUE...",
		Short: "Set parameters of a resource, or delete them",
		Long: `Set parameters of a resource, as its plan declares them: "sandglass plan list --json" shows them. Those
that are not named stay; NAME= takes one away. What runs is told when it is started the next time.
` + saidHelp + `

The values are kept beside the log of its host, and are deleted at its release, or with --delete: then what
runs keeps what it was told until it is gone.
It takes the holder key ($` + cli.EnvHolder + ` or --holder-key-file) or the operator's token.`,
		Example: `  sandglass resource set ID ssh_key=@id.pub --holder-key-file web-1.key
  sandglass resource set ID image=alpine user_data=@-
  sandglass resource set ID --delete`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			said, err := c.said(args[1:])
			if err != nil {
				return err
			}
			if del == (len(said) > 0) {
				return cli.Usage("want parameters to set, or --delete")
			}
			cl, err := c.Client(cli.Holder)
			if err != nil {
				return err
			}
			if del {
				r, err := cl.DeleteParams(cmd.Context(), args[0])
				return PrintResult(c.Env, r, err)
			}
			r, err := cl.SetParams(cmd.Context(), args[0], said)
			return PrintResult(c.Env, r, err)
		},
	}
	cmd.Flags().BoolVar(&del, "delete", false, "delete all that is kept of its parameters")
	return cmd
}
