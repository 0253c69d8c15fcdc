package rights_test

import (
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/lnd/rights"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/protobuf/proto"
	"gopkg.in/macaroon.v2"
)

func FuzzPermissions(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x02\x01\x03lnd"))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		_ = rights.Role(rights.Watching).Check(raw) // it does not panic
	})
}

// TestLacks names what an older macaroon may not do.
func TestLacks(t *testing.T) {
	for name, x := range map[string]struct{ ops, lacks []string }{
		"by methods":     {[]string{"uri:/invoicesrpc.Invoices/CancelInvoice"}, []string{"AddHoldInvoice", "SubscribeSingleInvoice"}},
		"that writes":    {[]string{"invoices:write"}, []string{"SubscribeSingleInvoice"}},
		"that reads":     {[]string{"invoices:read"}, []string{"AddHoldInvoice"}},
		"that does both": {[]string{"invoices:read", "uri:/invoicesrpc.Invoices/AddHoldInvoice"}, nil},
		"of the chain":   {[]string{"onchain:read", "address:write"}, []string{"AddHoldInvoice", "SubscribeSingleInvoice"}},
	} {
		lacks, err := rights.Lacks(bake(t, x.ops...), "AddHoldInvoice", "SubscribeSingleInvoice")
		if err != nil || !slices.Equal(lacks, x.lacks) {
			t.Errorf("%s: it lacks %q, %v; want %q", name, lacks, err, x.lacks)
		}
	}
	if _, err := rights.Lacks([]byte("no macaroon"), "AddHoldInvoice"); err == nil {
		t.Error("what is none lacks nothing")
	}
}

// bake returns a macaroon as lnd bakes it, of an entity and an action each.
func bake(t *testing.T, ops ...string) []byte {
	t.Helper()
	inside := &lnrpc.MacaroonId{StorageId: []byte("0")}
	for _, op := range ops {
		entity, action, _ := strings.Cut(op, ":")
		inside.Ops = append(inside.Ops, &lnrpc.Op{Entity: entity, Actions: []string{action}})
	}
	id, err := proto.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	mac, err := macaroon.New(make([]byte, 32), append([]byte{3}, id...), "lnd", macaroon.V2)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := mac.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
