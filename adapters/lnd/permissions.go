package lnd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/protobuf/proto"
	"gopkg.in/macaroon.v2"
)

var (
	errNoMacaroon = errors.New("lnd: no macaroon")
	errEmpty      = errors.New("lnd: the macaroon's file is empty")
	errTooMighty  = errors.New("it may do more than it should: " +
		"bake one as the documentation says, or set SANDGLASS_LND_ALLOW_SPENDING")
)

// A role reports whether a macaroon may hold a permission: an entity and an action, or
// "uri" and a method.
type role func(entity, action string) bool

// reading are methods that change nothing. Those of chainrpc all do so.
var reading = []string{
	"GetInfo", "GetRecoveryInfo", "SubscribeInvoices", "ListInvoices", "LookupInvoice", "DecodePayReq",
	"SubscribeTransactions", "GetTransactions", "ListUnspent", "WalletBalance", "ChannelBalance",
	"ListChannels", "PendingChannels", "ClosedChannels", "ListPeers", "GetNodeInfo", "CheckMacaroonPermissions",
}

// watching may read.
func watching(entity, action string) bool {
	if entity != "uri" {
		return action == "read"
	}
	method, ok := strings.CutPrefix(action, "/lnrpc.Lightning/")
	return ok && slices.Contains(reading, method) ||
		strings.HasPrefix(action, "/lnrpc.State/") || strings.HasPrefix(action, "/chainrpc.") ||
		action == "/invoicesrpc.Invoices/SubscribeSingleInvoice" || action == "/invoicesrpc.Invoices/LookupInvoiceV2"
}

// issuing may read, and make invoices and addresses. None of it spends.
func issuing(entity, action string) bool {
	switch {
	case watching(entity, action):
		return true
	case entity == "uri":
		return action == "/lnrpc.Lightning/AddInvoice" || action == "/lnrpc.Lightning/NewAddress" ||
			action == cancelInvoice
	}
	return (entity == "invoices" || entity == "address") && action == "write"
}

// check returns errTooMighty, with what a macaroon may do beyond its role. The caveats
// are not looked at: they can only take away.
func (r role) check(raw []byte) error {
	ops, err := permissions(raw)
	if err != nil {
		return err
	}
	var beyond []string
	for _, op := range ops {
		for _, action := range op.Actions {
			if r(op.Entity, action) {
				continue
			}
			if op.Entity != "uri" {
				action = op.Entity + ":" + action
			}
			beyond = append(beyond, action)
		}
	}
	if len(beyond) > 0 {
		return fmt.Errorf("%w (%s)", errTooMighty, strings.Join(beyond, ", "))
	}
	return nil
}

// permissions reads what lnd baked into a macaroon's id: a byte that is the version, 3,
// and a message.
func permissions(raw []byte) ([]*lnrpc.Op, error) {
	var mac macaroon.Macaroon
	if err := mac.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("not a macaroon: %w", err)
	}
	id := mac.Id()
	if len(id) == 0 || id[0] != 3 {
		return nil, errors.New("not a macaroon of lnd")
	}
	var inside lnrpc.MacaroonId
	if err := proto.Unmarshal(id[1:], &inside); err != nil {
		return nil, fmt.Errorf("not a macaroon of lnd: %w", err)
	}
	return inside.Ops, nil
}
