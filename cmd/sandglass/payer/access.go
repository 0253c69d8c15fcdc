package payer

import (
	"encoding/json"
	"fmt"
	"strings"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/enforce/access"

	"github.com/spf13/cobra"
)

func resourceAccessCmd(c commands) *cobra.Command {
	return &cobra.Command{
		Use:   "access ID",
		Short: "Tell how a resource is reached: an address, a configuration",
		Long: `Tell how a resource is reached, as its enforcer says now: text, or JSON. It is nowhere kept, so it may
be secret; it can be asked for once a second, while the resource is up. With --json text is a string.
It takes the holder key ($` + cli.EnvHolder + ` or --holder-key-file) or the operator's token.`,
		Example: `  sandglass resource access ID --holder-key-file web-1.key
  sandglass resource access ID > /etc/wireguard/wg0.conf`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Holder)
			if err != nil {
				return err
			}
			text, err := cl.Access(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case c.JSON && access.IsJSON(text):
				return show.JSON(c.Stdout, json.RawMessage(text))
			case c.JSON:
				return show.JSON(c.Stdout, text)
			}
			_, err = fmt.Fprintln(c.Stdout, strings.TrimSuffix(text, "\n"))
			return err
		},
	}
}
