package devnet_test

import (
	"os"
	"strings"
	"testing"

	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnrpc/chainrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandglass/testutil/devnet"
)

func dial(t *testing.T, d *devnet.Node, macaroon string) *grpc.ClientConn {
	t.Helper()
	conn, err := d.Dial(macaroon)
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// calls are made with each macaroon; only those of its scope may be allowed.
var calls = []struct {
	watch, issue bool
	name         string
	call         func(*testing.T, grpc.ClientConnInterface) error
}{
	{true, false, "GetInfo", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := lnrpc.NewLightningClient(c).GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
		return err
	}},
	{true, false, "ListInvoices", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := lnrpc.NewLightningClient(c).ListInvoices(t.Context(), &lnrpc.ListInvoiceRequest{})
		return err
	}},
	{true, false, "GetTransactions", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := lnrpc.NewLightningClient(c).GetTransactions(t.Context(), &lnrpc.GetTransactionsRequest{})
		return err
	}},
	{true, false, "GetBestBlock", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := chainrpc.NewChainKitClient(c).GetBestBlock(t.Context(), &chainrpc.GetBestBlockRequest{})
		return err
	}},
	{true, false, "GetBlock", func(t *testing.T, c grpc.ClientConnInterface) error {
		kit := chainrpc.NewChainKitClient(c)
		best, err := kit.GetBestBlock(t.Context(), &chainrpc.GetBestBlockRequest{})
		if err == nil {
			_, err = kit.GetBlock(t.Context(), &chainrpc.GetBlockRequest{BlockHash: best.BlockHash})
		}
		return err
	}},
	{true, false, "RegisterBlockEpochNtfn", func(t *testing.T, c grpc.ClientConnInterface) error {
		s, err := chainrpc.NewChainNotifierClient(c).RegisterBlockEpochNtfn(t.Context(), &chainrpc.BlockEpoch{})
		if err == nil {
			_, err = s.Recv()
		}
		return err
	}},
	{false, true, "AddInvoice", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := lnrpc.NewLightningClient(c).AddInvoice(t.Context(), &lnrpc.Invoice{ValueMsat: 1000})
		return err
	}},
	{false, true, "NewAddress", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := lnrpc.NewLightningClient(c).NewAddress(t.Context(), &lnrpc.NewAddressRequest{})
		return err
	}},
	{false, false, "SendCoins", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := lnrpc.NewLightningClient(c).SendCoins(t.Context(), &lnrpc.SendCoinsRequest{})
		return err
	}},
	{false, false, "BakeMacaroon", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := lnrpc.NewLightningClient(c).BakeMacaroon(t.Context(), &lnrpc.BakeMacaroonRequest{})
		return err
	}},
	{false, false, "ListChannels", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := lnrpc.NewLightningClient(c).ListChannels(t.Context(), &lnrpc.ListChannelsRequest{})
		return err
	}},
	{true, true, "GetState", func(t *testing.T, c grpc.ClientConnInterface) error {
		_, err := lnrpc.NewStateClient(c).GetState(t.Context(), &lnrpc.GetStateRequest{})
		return err
	}},
}

func TestDaemonMacaroonsReachNoFurther(t *testing.T) {
	net := devnet.Shared(t)
	watch, issue := dial(t, net.Alice, net.WatchMacaroon), dial(t, net.Alice, net.IssueMacaroon)
	for _, tc := range calls {
		for _, by := range []struct {
			name  string
			conn  *grpc.ClientConn
			allow bool
		}{{"watch", watch, tc.watch}, {"issue", issue, tc.issue}} {
			err := tc.call(t, by.conn)
			if by.allow && err != nil {
				t.Errorf("%s %s: %v", by.name, tc.name, err)
			}
			if !by.allow && (err == nil || !strings.Contains(err.Error(), "permission denied")) {
				t.Errorf("%s %s: %v, want permission denied", by.name, tc.name, err)
			}
		}
	}
}

// TestMacaroonsTellWhatTheyMay is how a daemon can refuse a macaroon that spends.
func TestMacaroonsTellWhatTheyMay(t *testing.T) {
	net := devnet.Shared(t)
	for _, tc := range []struct {
		macaroon, method string
		may              bool
	}{
		{net.WatchMacaroon, "/lnrpc.Lightning/ListInvoices", true},
		{net.WatchMacaroon, "/lnrpc.Lightning/AddInvoice", false},
		{net.WatchMacaroon, "/lnrpc.Lightning/SendCoins", false},
		{net.IssueMacaroon, "/lnrpc.Lightning/AddInvoice", true},
		{net.IssueMacaroon, "/routerrpc.Router/SendPaymentV2", false},
		{net.Alice.AdminMacaroon, "/routerrpc.Router/SendPaymentV2", true},
	} {
		mac, err := os.ReadFile(tc.macaroon)
		check(t, err)
		client := lnrpc.NewLightningClient(dial(t, net.Alice, tc.macaroon))
		resp, err := client.CheckMacaroonPermissions(t.Context(), &lnrpc.CheckMacPermRequest{
			Macaroon: mac, FullMethod: tc.method, CheckDefaultPermsFromFullMethod: true,
		})
		switch {
		case tc.may && (err != nil || !resp.Valid):
			t.Errorf("%s with %s: %v", tc.method, tc.macaroon, err)
		case !tc.may && status.Code(err) != codes.InvalidArgument:
			t.Errorf("%s with %s: %v, %v, want InvalidArgument", tc.method, tc.macaroon, resp, err)
		}
	}
}

func TestRevokedMacaroon(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	const rootKeyID = 777
	path, err := net.Alice.BakeMacaroon(ctx, rootKeyID, "info:read", "/lnrpc.Lightning/ListInvoices")
	check(t, err)
	client := lnrpc.NewLightningClient(dial(t, net.Alice, path))
	_, err = client.GetInfo(ctx, &lnrpc.GetInfoRequest{})
	check(t, err)
	_, err = client.ListInvoices(ctx, &lnrpc.ListInvoiceRequest{})
	check(t, err)
	check(t, net.Alice.DeleteMacaroonID(ctx, rootKeyID))
	_, err = client.GetInfo(ctx, &lnrpc.GetInfoRequest{})
	if err == nil || !strings.Contains(err.Error(), "root key with id 777 doesn't exist") {
		t.Errorf("a revoked macaroon: %v", err)
	}
}
