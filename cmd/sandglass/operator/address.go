package operator

import (
	"fmt"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/payer"
	"sandglass/cmd/sandglass/show"

	"github.com/spf13/cobra"
)

// AddressCmd returns address, with its subcommand.
func AddressCmd(e *cli.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "address",
		Short:   "Which address on the chain is whose",
		Example: "  sandglass address adopt bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 --to web-1",
	}
	cmd.AddCommand(adoptCmd(commands{e}))
	return cmd
}

func adoptCmd(c commands) *cobra.Command {
	var r wire.AdoptRequest
	cmd := &cobra.Command{
		Use:   "adopt ADDRESS",
		Short: "Give an address of the wallet to a resource that the log forgot to be its own",
		Long: `Give an address of the wallet to a resource, as if it had been issued for it: what it received
before is credited too, and it is watched for ever. A log that was restored from an old
backup does not know the addresses that were issued since: "store restore" lists them if the
newer log can be read, and "audit reconcile" lists the deposits to them. Never adopt an
address that you use yourself. One that nobody has paid yet is taken on your word.`,
		Example: "  sandglass address adopt bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 --to web-1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			a, err := cl.Adopt(cmd.Context(), args[0], r)
			switch {
			case err != nil:
				return err
			case c.JSON:
				return show.JSON(c.Stdout, a)
			}
			_, err = fmt.Fprintf(c.Stdout, "%s is of %s: its payments are looked for from height %d on\n", a.Address, a.Resource, a.Height)
			if a.Opened != nil && err == nil {
				_, err = fmt.Fprintf(c.Stdout, "%s was only ordered: opened is %s\n", a.Resource, payer.Ordered(a.Opened))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&r.Resource, "to", "", "the id of the resource")
	cmd.Flags().BoolVar(&r.Lost, "lost", false,
		"also if the log has lost the resource too: what the address receives is unallocated then, and names it")
	_ = cmd.MarkFlagRequired("to")
	_ = cmd.RegisterFlagCompletionFunc("to", cli.CompleteFlag(c.CompleteResources))
	return cmd
}
