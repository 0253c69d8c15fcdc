package payer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/money"
	"sandglass/domain/payment"

	"github.com/spf13/cobra"
)

// BuyCmd returns buy.
func BuyCmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	b := buying{commands: c}
	var set []string
	cmd := &cobra.Command{
		Use:   "buy URL [PLAN]",
		Short: "Buy a resource of any daemon, and pay for it, as a program",
		Long: `Buy a resource of the daemon at URL, or with --resource more time of one, and pay for it: by a command of
your wallet, in which {} stands for the invoice, and which prints the preimage. It is run by sh.

The credential that it was paid with is good for what the holder key is, by Authorization: L402. Before it
pays, it tells the token on stderr: with the preimage that your wallet knows it is that credential, should
the command be broken off. Then --credential gets what was paid for, and pays nothing.`,
		Example: `  sandglass buy https://pay.example.org small --time 2h --pay-with "lncli payinvoice --json --force {}"
  sandglass buy https://pay.example.org --resource ID --amount 1000sat --pay-with "lightning-cli pay {}"
  sandglass buy https://pay.example.org small --time 2h --credential "L402 TOKEN:PREIMAGE"`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if b.request.Plan = ""; len(args) == 2 {
				b.request.Plan = args[1]
			}
			if (b.request.Plan == "") == (b.request.Resource == "") {
				return cli.Usage("want PLAN, for a new resource, or --resource, for more time of one")
			}
			if b.pay != "" && !strings.Contains(b.pay, "{}") {
				return cli.Usage("--pay-with %.60q: want {} where the invoice is to stand", b.pay)
			}
			if b.request.Params, err = c.said(set); err != nil {
				return err
			}
			b.request.Time, b.request.Amount = b.time.Millis, b.amount.Msat
			cl, err := client.New(args[0], "")
			if err != nil {
				return err
			}
			return b.run(cmd.Context(), cl)
		},
	}
	f := cmd.Flags()
	f.Var(&b.time, "time", "the time to buy: 2h, 90m, 7d")
	f.Var(&b.amount, "amount", "or the amount to pay: msat, or with a unit: 7200sat, 0.0001btc")
	f.StringVar(&b.request.Resource, "resource", "", "the id of a resource that is to have more time, instead of PLAN")
	f.StringVar(&b.request.Host, "host", "", "the host that it shall be on, of those of the plan, instead of any")
	f.StringArrayVar(&set, "set", nil, "a parameter of the plan, `NAME=VALUE`: ssh_key=@id.pub; may be given again")
	f.StringVar(&b.pay, "pay-with", "", "the `command` that pays: {} is the invoice")
	f.StringVar(&b.credential, "credential", "", "or what proves that the same was paid before: 'L402 TOKEN:PREIMAGE'")
	cmd.MarkFlagsOneRequired("time", "amount")
	cmd.MarkFlagsMutuallyExclusive("time", "amount")
	cmd.MarkFlagsOneRequired("pay-with", "credential")
	cmd.MarkFlagsMutuallyExclusive("pay-with", "credential")
	return cmd
}

// buying is one purchase.
type buying struct {
	commands
	request    wire.BuyRequest
	time       cli.TimeFlag
	amount     cli.AmountFlag
	pay        string
	credential string
}

func (b *buying) run(ctx context.Context, cl *client.Client) error {
	if b.credential == "" {
		_, err := cl.Buy(ctx, b.request, "")
		due, ok := errors.AsType[*client.Due](err)
		if !ok {
			return err
		}
		if b.credential, err = b.paid(ctx, due); err != nil {
			return err
		}
	}
	o, err := b.collect(ctx, cl)
	if err != nil {
		return fmt.Errorf("%w\nwhat is paid is not lost: the same command with --credential '%s' gets it", err, b.credential)
	}
	if b.JSON {
		return show.JSON(b.Stdout, o)
	}
	return show.Facts(b.Stdout,
		"resource", o.Resource.ID, "host", o.Resource.Host, "status", o.Resource.Status, "left", show.Left(o.Resource.Remaining),
		"holder key", o.HolderKey, "credential", b.credential)
}

// An invoice is BOLT 11: it has no characters that mean something to a shell. Its amount stands before the last 1.
var bolt11 = regexp.MustCompile(`^ln[a-z]+([0-9]{1,17})([munp]?)1[02-9a-z]+$`)

// perUnit is how many tenths of a msat the parts of a bitcoin are that an amount is counted in.
var perUnit = map[string]int64{"": 1e12, "m": 1e9, "u": 1e6, "n": 1e3, "p": 1}

// amountOf returns what an invoice asks for, or false if it is none, or leaves that to the payer.
func amountOf(invoice string) (money.Msat, bool) {
	if invoice == strings.ToUpper(invoice) {
		invoice = strings.ToLower(invoice)
	}
	m := bolt11.FindStringSubmatch(invoice)
	if m == nil {
		return 0, false
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // 17 digits can be read
	if n > math.MaxInt64/perUnit[m[2]] {
		return 0, false
	}
	return money.Msat(n * perUnit[m[2]] / 10), true
}

// A token is base64: nothing in it means something to a shell, or a terminal.
var base64 = regexp.MustCompile(`^[A-Za-z0-9+/_-]+=*$`)

// paid pays what is due, and returns the credential.
func (b *buying) paid(ctx context.Context, due *client.Due) (string, error) {
	hash, ok := payment.Key(due.Payment.Key).Hash()
	asked, isInvoice := amountOf(due.Payment.Request)
	switch {
	case !ok || !isInvoice:
		return "", fmt.Errorf("what is to be paid is no invoice of an amount: %.60q", due.Payment.Request)
	case asked != due.Payment.Asked, b.amount.Msat != 0 && asked != b.amount.Msat:
		return "", fmt.Errorf("the invoice is of %s, and %s are to be paid: nothing was", show.Amount(asked),
			show.Amount(cmp.Or(b.amount.Msat, due.Payment.Asked)))
	case !base64.MatchString(due.Token): // which is to be pasted
		return "", fmt.Errorf("what a credential is made of is no token: %.60q", due.Token)
	}
	fmt.Fprintf(b.Stderr, "paying %s; if this is broken off, --credential 'L402 %s:PREIMAGE' goes on\n",
		show.Amount(due.Payment.Asked), due.Token)
	pay := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(b.pay, "{}", due.Payment.Request))
	var told bytes.Buffer
	pay.Stdout, pay.Stderr, pay.Stdin = &told, b.Stderr, b.Stdin
	failed := pay.Run()
	preimage := preimageIn(told.Bytes(), hash)
	switch {
	case preimage != "": // whatever the command thinks of it
		return "L402 " + due.Token + ":" + preimage, nil
	case failed != nil:
		return "", fmt.Errorf("paying by %q: %w", b.pay, failed)
	}
	return "", fmt.Errorf("%q did not print the preimage of %s: look into your wallet whether it is paid", b.pay, hash)
}

// preimages are what can be one: 64 hexadecimal digits.
var preimages = regexp.MustCompile(`[0-9a-fA-F]{64}`)

// preimageIn returns the preimage of a hash in what a wallet's command printed, whatever it says besides.
func preimageIn(text []byte, hash string) string {
	for _, one := range preimages.FindAll(text, -1) {
		var b [32]byte
		_, _ = hex.Decode(b[:], one) // it is hexadecimal
		if sum := sha256.Sum256(b[:]); hex.EncodeToString(sum[:]) == hash {
			return string(one)
		}
	}
	return ""
}

// collect gets what was paid for, also if the daemon has yet to hear of it.
func (b *buying) collect(ctx context.Context, cl *client.Client) (o wire.Order, err error) {
	const tries = 12
	for range tries {
		o, err = cl.Buy(ctx, b.request, b.credential)
		p, refused := errors.AsType[*client.Problem](err)
		if !refused || p.RetryAfter == 0 {
			return o, err
		}
		select {
		case <-ctx.Done():
			return o, ctx.Err()
		case <-time.After(p.RetryAfter):
		}
	}
	return o, err
}
