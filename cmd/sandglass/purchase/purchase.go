// Package purchase is the command buy: a purchase at any daemon, in the request, paid by a command of the
// payer's wallet.
//
// A purchase stands in a file from before it is paid until the daemon has answered, so that whatever dies between
// loses nothing: the same command with that file goes on where it stopped, with the same invoice, which can be paid
// once. What is bought stays there with its credential, which buys more.
package purchase

import (
	"fmt"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"

	"github.com/spf13/cobra"
)

// Cmd returns buy.
func Cmd(e *cli.Env) *cobra.Command {
	b := buying{Env: e}
	var set []string
	cmd := &cobra.Command{
		Use:   "buy [URL [PLAN]]",
		Short: "Buy a resource of any daemon, and pay for it, as a program",
		Long: `Buy a resource of the daemon at URL, or with --resource more time of one, and pay for it: by a command of
your wallet, which prints the preimage, as text or within JSON. It is run by sh; {} stands for the invoice, and
{hash} for its payment hash.

No more than --most is paid. Where the time is given and no --most, the price is asked about at a terminal;
a script is told it, and pays nothing.

What is bought is kept in the file of --credential, which nobody else can read, with the holder key and the
credential, by which it can be used: the header "Authorization: L402 ...". It is there before anything is paid:
should the command be broken off, the same command again goes on, and nothing is paid twice. Without --credential
the file is ID.credential, in the present folder; the same command goes on with one there that is not finished.
A file that is finished buys more of what it has, by --credential and --time or --amount alone.

Exit status: 0 it is bought; 1 it is not, and nothing was paid; 2 the command was not understood; 3 it is paid, or
may be, and is not had yet: the same command goes on.`,
		Example: `  sandglass buy https://pay.example.org small --time 2h --most 8000sat --credential web.credential \
    --pay-with "lncli payinvoice --json --force {} || lncli trackpayment --json {hash}"
  sandglass buy https://pay.example.org --resource ID --amount 1000sat --pay-with "lightning-cli pay {}"
  sandglass buy --credential ID.credential --time 1h --most 4000sat --pay-with "lightning-cli pay {}"
  sandglass buy --credential ID.credential --preimage PREIMAGE`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if b.request.Params, err = e.Params(set); err != nil {
				return err
			}
			if err := b.understand(args); err != nil {
				return err
			}
			return b.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.Var(&b.time, "time", "the time to buy: 2h, 90m, 7d")
	f.Var(&b.amount, "amount", "or the amount to pay: msat, or with a unit: 7200sat, 0.0001btc")
	f.Var(&b.most, "most", "pay no more than this `amount`, whatever is asked, besides what your wallet pays for the way")
	f.StringVar(&b.request.Resource, "resource", "", "the id of a resource that is to have more time, instead of PLAN")
	f.StringVar(&b.request.Host, "host", "", "the host that it shall be on, of those of the plan, instead of any")
	f.StringArrayVar(&set, "set", nil, "a parameter of the plan, `NAME=VALUE`: ssh_key=@id.pub; may be given again")
	f.StringVar(&b.pay, "pay-with", "", "the `command` that pays: {} is the invoice, {hash} its payment hash")
	f.StringVar(&b.file, "credential", "", "the `file` in which the purchase is kept: made, gone on with, or extended")
	f.StringVar(&b.preimage, "preimage", "", "what your wallet shows of the payment, if what --credential holds is paid already")
	cmd.MarkFlagsMutuallyExclusive("time", "amount")
	cmd.MarkFlagsMutuallyExclusive("preimage", "pay-with")
	return cmd
}

// buying is one purchase.
type buying struct {
	*cli.Env
	url                 string // "" where the file says it
	request             wire.BuyRequest
	extends             bool // what the file has
	time                cli.TimeFlag
	amount, most        cli.AmountFlag
	pay, file, preimage string
}

// understand checks what was asked for.
func (b *buying) understand(args []string) error {
	if len(args) > 0 {
		b.url = args[0]
	}
	if len(args) > 1 {
		b.request.Plan = args[1]
	}
	b.request.Time, b.request.Amount = b.time.Millis, b.amount.Msat
	r := &b.request
	switch {
	case b.url != "" && !strings.Contains(b.url, "://"):
		return cli.Usage("%.70q is no URL such as https://pay.example.org: want that of the daemon first, then PLAN", b.url)
	case b.url == "" && b.file == "":
		return cli.Usage("want URL and PLAN, or --credential with the file of a purchase")
	case b.url == "" && (r.Resource != "" || r.Host != "" || len(r.Params) > 0):
		return cli.Usage("--resource, --host and --set are of what URL has; what --credential holds is extended by --time or --amount")
	case b.url != "" && (r.Plan == "") == (r.Resource == ""):
		return cli.Usage("want PLAN, for a new resource, or --resource, for more time of one")
	case b.url != "" && !b.moves():
		return cli.Usage("want --time or --amount")
	case b.preimage != "" && b.file == "":
		return cli.Usage("--preimage is of the purchase in a file: name it by --credential")
	case b.preimage != "" && len(allPreimages([]byte(b.preimage))) != 1:
		return cli.Usage("--preimage %.70q: want 64 hexadecimal digits, as your wallet shows them", b.preimage)
	case b.pay != "" && !strings.Contains(b.pay, "{}"):
		return cli.Usage("--pay-with %.60q: want {} where the invoice is to stand", b.pay)
	}
	return nil
}

// moves reports whether time or an amount is asked for.
func (b *buying) moves() bool { return b.request.Time != 0 || b.request.Amount != 0 }

// tell says on stderr what a person is to know, and a program need not read.
func (b *buying) tell(format string, args ...any) {
	fmt.Fprintf(b.Stderr, "sandglass: "+format+"\n", args...)
}
