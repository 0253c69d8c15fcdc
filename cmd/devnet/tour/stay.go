package tour

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/devnet/tour/host"
	"sandglass/cmd/sandglass/show"
)

// newcomer orders two hours, has bob pay, and shows the time drain until ctx ends, or
// the daemon does.
func (t *Tour) newcomer(ctx context.Context) error {
	ctx, cancel := t.daemon.WhileRuns(ctx)
	defer cancel()
	err := t.tellNewcomer(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (t *Tour) tellNewcomer(ctx context.Context) error {
	keyFile := filepath.Join(filepath.Dir(t.daemon.Log), "order.key")
	order := []string{"order", "small", "--time", "2h", "--address", "--idempotency-key-file", keyFile}
	if err := t.show(ctx, order...); err != nil {
		return err
	}
	// The same key gives the same order, this time for us to read.
	var o wire.Order
	if err := t.daemon.Ask(ctx, &o, order...); err != nil {
		return err
	}
	if o.Payment == nil {
		return errors.New("the order has no invoice")
	}
	err := t.takeOne(ctx, step{"bob pays the invoice over his channel", func(ctx context.Context) (string, error) {
		r, err := t.funded(ctx, o.Resource.ID, o.Payment.Asked, t.bobPays(o.Payment))
		t.long, t.paid, t.until = o, r.Credited, r.PaidUntil
		return "it runs, " + left(r.Remaining) + " left", err
	}})
	if err != nil {
		return err
	}
	if err := t.take(ctx, []step{
		{"a stranger pays its address on the chain", t.deposit},
		{"the third block on it makes it count", t.confirm},
	}); err != nil {
		return err
	}
	command, err := t.Control()
	if err != nil {
		return err
	}
	if err := errors.Join(t.describe(&o, command), t.tellPage(&o)); err != nil {
		return err
	}
	if err := t.show(ctx, "resource", "show", o.Resource.ID, "--follow"); err != nil || ctx.Err() != nil {
		return err
	}
	fmt.Fprintln(t.Out, "It is ended. All else stays until Ctrl-C.")
	<-ctx.Done()
	return nil
}

// tellPage prints the address of what was ordered as its holder has it, and as a code for his phone.
func (t *Tour) tellPage(o *wire.Order) error {
	page := t.daemon.URL + "/r/" + o.Resource.ID
	fmt.Fprintf(t.Out, `
Open it in a browser, and pay what it shows by: devnet pay INVOICE
the shop    %[1]s
its page    %[2]s
as holder   %[2]s#key=%[3]s

`, t.daemon.URL, page, o.HolderKey)
	if t.Listen == "" {
		fmt.Fprint(t.Out, "A phone reaches it only with --listen ADDRESS, which is this machine's in its network.\n\n")
	}
	return show.QR(t.Out, []string{page})
}

// show runs a command with our own terminal.
func (t *Tour) show(ctx context.Context, args ...string) error {
	fmt.Fprintf(t.Out, "\n$ sandglass %s\n", strings.Join(args, " "))
	cmd := t.daemon.Command(ctx, nil, args...)
	cmd.Stdout, cmd.Stderr = t.Out, t.Progress
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("sandglass %s: %w", args[0], err)
	}
	fmt.Fprintln(t.Out)
	return nil
}

// describe prints where things are, and what to try in another terminal.
func (t *Tour) describe(o *wire.Order, command string) error {
	url := t.daemon.URL
	fmt.Fprintf(t.Out, `
API         %[1]s/openapi.json
resource    %[1]s/v1/resources/%[2]s
live        %[1]s/v1/resources/%[2]s/live
readiness   %[1]s/readyz
metrics     %[1]s/metrics, with -H "Authorization: Bearer $(cat $SANDGLASS_OPERATOR_TOKEN_FILE)"

# In another terminal:
`, url, o.Resource.ID)
	for _, setting := range t.daemon.Env {
		switch name, value, _ := strings.Cut(setting, "="); name {
		case "SANDGLASS_URL", "SANDGLASS_OPERATOR_TOKEN_FILE",
			"SANDGLASS_LND_ADDR", "SANDGLASS_LND_TLS_CERT", "SANDGLASS_LND_WATCH_MACAROON", "SANDGLASS_RUN_DIR":
			fmt.Fprintf(t.Out, "export %s=%s\n", name, host.Quote(value))
		}
	}
	wallet, err := t.net.Wallet()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, `export SANDGLASS_HOLDER_KEY=%[1]s
sandglass() { %[2]s "$@"; }; devnet() { %[3]s "$@"; }
sandglass resource pay %[4]s --time 1h     # an invoice; then: devnet pay INVOICE
sandglass resource pause %[4]s
devnet keysend --resource %[4]s --msat 60000
devnet send %[5]s 3600     # an hour on the chain
devnet mine 3      # now it counts
devnet reorg 3     # now it does not, until: devnet mine 3
sandglass order server --time 1m      # devnet pay INVOICE, and a server answers, whose address is in
                                      # "$SANDGLASS_RUN_DIR"/enforcers/process/ID.access
sandglass keeper status              # and in a minute it does not
sandglass buy %[6]s server --time 1m --most 60sat --pay-with %[7]s     # as programs do
sandglass status
sandglass events --follow
sandglass audit replay
sandglass audit reconcile
sandglass receipt get %[8]s --resource %[4]s > receipt.txt     # there is one some ten seconds after the payment
sandglass receipt verify receipt.txt --key "$(curl -s %[6]s/log/key)"

Ctrl-C ends it all.
`, host.Quote(o.HolderKey), host.Quote(t.Sandglass), command, o.Resource.ID, o.Resource.Address,
		url, host.Quote(wallet), o.Payment.Key)
	return err
}
