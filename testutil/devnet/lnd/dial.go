package lnd

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnrpc/chainrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"

	"sandglass/testutil/devnet/process"
)

// dial makes the clients; it fails while the certificate isn't whole. Of itself
// it connects to nothing.
func (d *Node) dial() error {
	conn, err := d.Dial(d.AdminMacaroon)
	if err != nil {
		return err
	}
	d.Conn = conn
	d.Lightning = lnrpc.NewLightningClient(conn)
	d.ChainNotifier = chainrpc.NewChainNotifierClient(conn)
	d.ChainKit = chainrpc.NewChainKitClient(conn)
	d.State = lnrpc.NewStateClient(conn)
	d.Unlocker = lnrpc.NewWalletUnlockerClient(conn)
	return nil
}

// Dial makes a connection that carries the macaroon in the file at path, and bounds each
// call that is no stream. The caller closes it.
func (d *Node) Dial(path string) (*grpc.ClientConn, error) {
	creds, err := credentials.NewClientTLSFromFile(d.TLSCert, "")
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(d.GRPC,
		grpc.WithTransportCredentials(creds),
		grpc.WithPerRPCCredentials(macaroonFile(path)),
		grpc.WithUnaryInterceptor(inOneStep),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(200<<20)), // lnd's own limit
		grpc.WithConnectParams(grpc.ConnectParams{
			// A node that restarts is back soon, and costs nobody anything.
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: 5 * time.Second,
		}))
}

// inOneStep ends a call that a hung node would never answer.
func inOneStep(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	ctx, cancel := process.Step(ctx)
	defer cancel()
	return call(ctx, method, req, reply, conn, opts...)
}

// A macaroonFile is read for each call. It may not be there yet: while the
// wallet is locked there is none, and State and Unlocker need none.
type macaroonFile string

func (m macaroonFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	mac, err := os.ReadFile(string(m))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return map[string]string{"macaroon": hex.EncodeToString(mac)}, err
}

func (m macaroonFile) RequireTransportSecurity() bool { return true }
