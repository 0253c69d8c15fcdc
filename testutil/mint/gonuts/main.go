// Command mint is a Cashu mint of the tests: gonuts, over a real lnd. Plain gonuts pays by SendPaymentSync,
// which lnd 0.21 does not have any more, so this one pays by SendPaymentV2.
//
// It is a module of its own, so that nothing of it is in Sandglass.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"time"

	"github.com/elnosh/gonuts/mint"
	"github.com/elnosh/gonuts/mint/lightning"
	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnrpc/routerrpc"
	"github.com/lightningnetwork/lnd/macaroons"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"gopkg.in/macaroon.v2"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mint:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("lnd", "127.0.0.1:10009", "address of lnd")
	cert := flag.String("cert", "", "its tls.cert")
	mac := flag.String("macaroon", "", "a macaroon that pays")
	listen := flag.String("listen", "127.0.0.1:3338", "address to listen on")
	db := flag.String("db", "", "folder of its database")
	keyset := flag.Uint("keyset", 0, "number of the keyset that is active")
	fee := flag.Uint("fee-ppk", 0, "input fee of that keyset, in thousandths of a satoshi a proof")
	flag.Parse()
	pays, err := connect(*addr, *cert, *mac)
	if err != nil {
		return err
	}
	s, err := mint.SetupMintServer(mint.Config{
		DerivationPathIdx: uint32(*keyset), InputFeePpk: *fee, MintPath: *db, LightningClient: pays, LogLevel: mint.Info,
	})
	if err != nil {
		return err
	}
	return http.ListenAndServe(*listen, handler(s))
}

// handler returns what a mint answers by. By itself it listens at every address.
func handler(s *mint.MintServer) http.Handler {
	server := reflect.ValueOf(s).Elem().FieldByName("httpServer")
	return (*http.Server)(server.UnsafePointer()).Handler
}

// payer is gonuts' client of lnd, but for how it pays.
type payer struct {
	*lightning.LndClient
	router routerrpc.RouterClient
}

func connect(addr, cert, file string) (*payer, error) {
	tls, err := credentials.NewClientTLSFromFile(cert, "")
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m := new(macaroon.Macaroon)
	if err := m.UnmarshalBinary(b); err != nil {
		return nil, err
	}
	c, err := macaroons.NewMacaroonCredential(m)
	if err != nil {
		return nil, err
	}
	lnd, err := lightning.SetupLndClient(lightning.LndConfig{GRPCHost: addr, Cert: tls, Macaroon: c})
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(tls), grpc.WithPerRPCCredentials(c))
	if err != nil {
		return nil, err
	}
	return &payer{lnd, routerrpc.NewRouterClient(conn)}, nil
}

// SendPayment implements [lightning.Client].
func (p *payer) SendPayment(ctx context.Context, request string, maxFee uint64) (lightning.PaymentStatus, error) {
	pending := lightning.PaymentStatus{PaymentStatus: lightning.Pending}
	failed := lightning.PaymentStatus{PaymentStatus: lightning.Failed}
	stream, err := p.router.SendPaymentV2(ctx, &routerrpc.SendPaymentRequest{
		PaymentRequest: request, FeeLimitSat: int64(maxFee), TimeoutSeconds: 30, NoInflightUpdates: true,
	})
	var sent *lnrpc.Payment
	if err == nil {
		sent, err = stream.Recv()
	}
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return pending, nil
	case err != nil:
		return failed, err
	case sent.Status == lnrpc.Payment_SUCCEEDED:
		return lightning.PaymentStatus{Preimage: sent.PaymentPreimage, PaymentStatus: lightning.Succeeded}, nil
	}
	return failed, fmt.Errorf("the payment %s: %s after %s", sent.Status, sent.FailureReason, 30*time.Second)
}
