package fakelnd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"sandglass/testutil/fakelnd/invoices"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"gopkg.in/macaroon.v2"
)

// Permission is an entity and an action, or "uri" and a method.
type Permission struct{ Entity, Action string }

// Sets of permissions that lnd bakes.
var (
	Watching = []Permission{
		{"uri", "/lnrpc.Lightning/GetInfo"}, {"uri", "/lnrpc.Lightning/SubscribeInvoices"},
		{"uri", "/lnrpc.Lightning/ListInvoices"}, {"uri", "/lnrpc.Lightning/LookupInvoice"},
		{"uri", "/lnrpc.Lightning/CheckMacaroonPermissions"},
		{"uri", "/lnrpc.Lightning/SubscribeTransactions"}, {"uri", "/lnrpc.Lightning/GetTransactions"},
		{"uri", "/chainrpc.ChainNotifier/RegisterBlockEpochNtfn"}, {"uri", "/chainrpc.ChainKit/GetBlock"},
		{"uri", "/chainrpc.ChainKit/GetBlockHash"}, {"uri", "/chainrpc.ChainKit/GetBestBlock"},
		{"uri", invoices.FollowMethod},
	}
	Issuing = []Permission{
		{"uri", "/lnrpc.Lightning/AddInvoice"}, {"uri", "/lnrpc.Lightning/NewAddress"}, {"uri", invoices.CancelMethod},
		{"uri", invoices.AddHoldMethod}, {"uri", invoices.SettleMethod},
	}
	Readonly = []Permission{
		{"onchain", "read"}, {"offchain", "read"}, {"address", "read"}, {"message", "read"}, {"peers", "read"},
		{"info", "read"}, {"invoices", "read"}, {"signer", "read"}, {"macaroon", "read"},
	}
	Invoicing = []Permission{
		{"invoices", "read"}, {"invoices", "write"}, {"address", "read"}, {"address", "write"}, {"onchain", "read"},
	}
	Everything = append([]Permission{
		{"onchain", "write"}, {"offchain", "write"}, {"address", "write"}, {"message", "write"}, {"peers", "write"},
		{"info", "write"}, {"invoices", "write"}, {"signer", "generate"}, {"macaroon", "generate"}, {"macaroon", "write"},
	}, Readonly...)
)

// needs is what a call needs, of all calls that the fake knows.
var needs = map[string][]Permission{
	"/lnrpc.Lightning/GetInfo":           {{"info", "read"}},
	"/lnrpc.Lightning/AddInvoice":        {{"invoices", "write"}},
	"/lnrpc.Lightning/LookupInvoice":     {{"invoices", "read"}},
	"/lnrpc.Lightning/ListInvoices":      {{"invoices", "read"}},
	"/lnrpc.Lightning/SubscribeInvoices": {{"invoices", "read"}},
	"/lnrpc.Lightning/NewAddress":        {{"address", "write"}},
	invoices.CancelMethod:                {{"invoices", "write"}},
	invoices.AddHoldMethod:               {{"invoices", "write"}},
	invoices.SettleMethod:                {{"invoices", "write"}},
	invoices.FollowMethod:                {{"invoices", "read"}},
	"/lnrpc.Lightning/SendCoins":         {{"onchain", "write"}},
	"/lnrpc.Lightning/BakeMacaroon":      {{"macaroon", "generate"}},

	"/lnrpc.Lightning/CheckMacaroonPermissions": {{"macaroon", "read"}},

	"/lnrpc.Lightning/SubscribeTransactions":         {{"onchain", "read"}},
	"/lnrpc.Lightning/GetTransactions":               {{"onchain", "read"}},
	"/chainrpc.ChainNotifier/RegisterBlockEpochNtfn": {{"onchain", "read"}},
	"/chainrpc.ChainKit/GetBlock":                    {{"onchain", "read"}},
	"/chainrpc.ChainKit/GetBlockHash":                {{"onchain", "read"}},
	"/chainrpc.ChainKit/GetBestBlock":                {{"onchain", "read"}},
}

type rootKeys struct {
	mu sync.Mutex
	m  map[string][]byte
}

func newRootKeys() *rootKeys { return &rootKeys{m: map[string][]byte{}} }

func (k *rootKeys) get(id string, create bool) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.m[id] == nil && create {
		k.m[id] = make([]byte, 32)
		rand.Read(k.m[id])
	}
	return k.m[id]
}

// Revoke deletes a root key: macaroons baked with it are refused from now on.
func (l *Lnd) Revoke(id string) {
	l.keys.mu.Lock()
	defer l.keys.mu.Unlock()
	delete(l.keys.m, id)
}

// Bake writes a macaroon to path.
func (l *Lnd) Bake(path, rootKeyID string, ops ...Permission) error {
	inside := &lnrpc.MacaroonId{Nonce: make([]byte, 16), StorageId: []byte(rootKeyID)}
	rand.Read(inside.Nonce)
	for _, op := range ops {
		inside.Ops = append(inside.Ops, &lnrpc.Op{Entity: op.Entity, Actions: []string{op.Action}})
	}
	id, err := proto.Marshal(inside)
	if err != nil {
		return err
	}
	mac, err := macaroon.New(l.keys.get(rootKeyID, true), append([]byte{3}, id...), "lnd", macaroon.V2)
	if err != nil {
		return err
	}
	raw, err := mac.MarshalBinary()
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// allow returns an error, in lnd's words, unless a call may be made.
func (l *Lnd) allow(ctx context.Context, method string) error {
	md, _ := metadata.FromIncomingContext(ctx)
	given := md.Get("macaroon")
	if len(given) != 1 {
		return fmt.Errorf("expected 1 macaroon, got %d", len(given))
	}
	raw, err := hex.DecodeString(given[0])
	if err != nil {
		return err
	}
	return l.authorize(raw, method, needs[method])
}

func (l *Lnd) authorize(raw []byte, method string, need []Permission) error {
	var mac macaroon.Macaroon
	if err := mac.UnmarshalBinary(raw); err != nil {
		return err
	}
	var inside lnrpc.MacaroonId
	if len(mac.Id()) == 0 || mac.Id()[0] != 3 || proto.Unmarshal(mac.Id()[1:], &inside) != nil {
		return errors.New("invalid ID")
	}
	key := l.keys.get(string(inside.StorageId), false)
	if key == nil {
		return fmt.Errorf("cannot retrieve macaroon: cannot get macaroon: root key with id %s doesn't exist", inside.StorageId)
	}
	refuse := func(caveat string) error { return fmt.Errorf("caveat %q not satisfied", caveat) }
	if err := mac.Verify(key, refuse, nil); err != nil {
		return fmt.Errorf("verification failed: %w", err)
	}
	has := func(p Permission) bool {
		return slices.ContainsFunc(inside.Ops, func(op *lnrpc.Op) bool {
			return op.Entity == p.Entity && slices.Contains(op.Actions, p.Action)
		})
	}
	if has(Permission{"uri", method}) {
		return nil
	}
	for _, p := range need {
		if !has(p) {
			return errors.New("permission denied")
		}
	}
	return nil
}
