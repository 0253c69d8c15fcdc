package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sandglass/adapters/httpapi/wire"
)

// newcomer orders two hours, has bob pay, and shows the time drain until ctx ends, or
// the daemon does.
func (d *demo) newcomer(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-d.daemon.done:
			cancel(errors.New("the daemon has ended"))
		case <-ctx.Done():
		}
	}()
	err := d.tellNewcomer(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (d *demo) tellNewcomer(ctx context.Context) error {
	keyFile := filepath.Join(filepath.Dir(d.daemon.log), "order.key")
	order := []string{"order", "small", "--time", "2h", "--idempotency-key-file", keyFile}
	if err := d.show(ctx, order...); err != nil {
		return err
	}
	// The same key gives the same order, this time for us to read.
	var o wire.Order
	if err := d.daemon.ask(ctx, &o, order...); err != nil {
		return err
	}
	if o.Payment == nil {
		return errors.New("the order has no invoice")
	}
	err := d.takeOne(ctx, step{"bob pays the invoice over his channel", func(ctx context.Context) (string, error) {
		r, err := d.funded(ctx, o.Resource.ID, o.Payment.Asked, d.bobPays(o.Payment))
		d.tour = tour{long: o, paid: r.Credited, until: r.PaidUntil}
		return "it runs, " + left(r.Remaining) + " left", err
	}})
	if err != nil {
		return err
	}
	if err := d.take(ctx, []step{
		{"a stranger pays its address on the chain", d.deposit},
		{"the third block on it makes it count", d.confirm},
	}); err != nil {
		return err
	}
	if err := d.describe(&o); err != nil {
		return err
	}
	return d.show(ctx, "resource", "show", o.Resource.ID, "--follow")
}

// show runs a command with our own terminal.
func (d *demo) show(ctx context.Context, args ...string) error {
	fmt.Fprintf(d.out, "\n$ sandglass %s\n", strings.Join(args, " "))
	cmd := d.daemon.command(ctx, nil, args...)
	cmd.Stdout, cmd.Stderr = d.out, d.progress
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("sandglass %s: %w", args[0], err)
	}
	fmt.Fprintln(d.out)
	return nil
}

// describe prints where things are, and what to try in another terminal.
func (d *demo) describe(o *wire.Order) error {
	info, err := d.writeInfo()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	url := d.daemon.url
	fmt.Fprintf(d.out, `
API         %[1]s/openapi.json
resource    %[1]s/v1/resources/%[2]s
live        %[1]s/v1/resources/%[2]s/live
readiness   %[1]s/readyz
metrics     %[1]s/metrics

# In another terminal:
`, url, o.Resource.ID)
	for _, setting := range d.daemon.env {
		switch name, value, _ := strings.Cut(setting, "="); name {
		case "SANDGLASS_URL", "SANDGLASS_OPERATOR_TOKEN_FILE", "SANDGLASS_LND_ADDR", "SANDGLASS_LND_TLS_CERT", "SANDGLASS_LND_WATCH_MACAROON":
			fmt.Fprintf(d.out, "export %s=%s\n", name, quote(value))
		}
	}
	net := quote(self) + " --info " + quote(info)
	_, err = fmt.Fprintf(d.out, `export SANDGLASS_HOLDER_KEY=%[1]s
sandglass() { %[2]s "$@"; }; devnet() { %[3]s "$@"; }
sandglass resource pay %[4]s --time 1h     # an invoice; then: devnet pay INVOICE
sandglass resource pause %[4]s
devnet keysend --resource %[4]s --msat 60000
devnet send %[5]s 3600     # an hour on the chain
devnet mine 3      # now it counts
devnet reorg 3     # now it does not, until: devnet mine 3
sandglass events --follow
sandglass audit replay
sandglass audit reconcile

Ctrl-C ends it all.
`, quote(o.HolderKey), quote(d.binary), net, o.Resource.ID, o.Resource.Address)
	return err
}

// writeInfo leaves the file by which another devnet command finds this network.
func (d *demo) writeInfo() (path string, err error) {
	path = filepath.Join(d.net.Dir(), "devnet.json")
	data, err := json.MarshalIndent(d.net.Info(), "", "  ")
	if err != nil {
		return "", err
	}
	return path, writeWhole(path, data)
}
