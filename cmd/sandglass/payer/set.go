package payer

import (
	"sandglass/cmd/sandglass/cli"

	"github.com/spf13/cobra"
)

func resourceSetCmd(c commands) *cobra.Command {
	var del bool
	cmd := &cobra.Command{
		Use:   "set ID NAME=VALUE...",
		Short: "Set parameters of a resource, or delete them",
		Long: `Set parameters of a resource, as its plan declares them: "sandglass plan list --json" shows them. Those
that are not named stay; NAME= takes one away. What runs is told when it is started the next time.
` + cli.ParamsHelp + `

The values are kept beside the log of its host, and are deleted at its release, or with --delete: then what
runs keeps what it was told until it is gone.
It takes the holder key ($` + cli.EnvHolder + ` or --holder-key-file) or the operator's token.`,
		Example: `  sandglass resource set ID ssh_key=@id.pub --holder-key-file web-1.key
  sandglass resource set ID image=alpine user_data=@-
  sandglass resource set ID --delete`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: c.CompleteResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			said, err := c.Params(args[1:])
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
