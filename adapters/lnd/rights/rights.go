// Package rights says what a macaroon may do, by what lnd baked into it, and refuses one that may do
// more than its role needs.
package rights

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/protobuf/proto"
	"gopkg.in/macaroon.v2"
)

// ErrTooMighty says that a macaroon may do more than its role needs.
var ErrTooMighty = errors.New("it may do more than it should: " +
	"bake one as the documentation says, or set SANDGLASS_LND_ALLOW_SPENDING")

// A Role reports whether a macaroon may hold a permission: an entity and an action, or
// "uri" and a method.
type Role func(entity, action string) bool

// reading are methods that change nothing. Those of chainrpc all do so.
var reading = []string{
	"GetInfo", "GetRecoveryInfo", "SubscribeInvoices", "ListInvoices", "LookupInvoice", "DecodePayReq",
	"SubscribeTransactions", "GetTransactions", "ListUnspent", "WalletBalance", "ChannelBalance",
	"ListChannels", "PendingChannels", "ClosedChannels", "ListPeers", "GetNodeInfo", "CheckMacaroonPermissions",
}

// Watching may read.
func Watching(entity, action string) bool {
	if entity != "uri" {
		return action == "read"
	}
	method, ok := strings.CutPrefix(action, "/lnrpc.Lightning/")
	return ok && slices.Contains(reading, method) ||
		strings.HasPrefix(action, "/lnrpc.State/") || strings.HasPrefix(action, "/chainrpc.") ||
		action == invoicesService+"SubscribeSingleInvoice" || action == invoicesService+"LookupInvoiceV2"
}

const invoicesService = "/invoicesrpc.Invoices/"

// making are the methods of invoicesrpc that make, take and give back what is paid by invoice.
var making = []string{"AddHoldInvoice", "SettleInvoice", "CancelInvoice"}

// Issuing may read, and make invoices and addresses, and take or give back what is paid by them.
// None of it spends.
func Issuing(entity, action string) bool {
	switch {
	case Watching(entity, action):
		return true
	case entity == "uri":
		return action == "/lnrpc.Lightning/AddInvoice" || action == "/lnrpc.Lightning/NewAddress" ||
			strings.HasPrefix(action, invoicesService) && slices.Contains(making, action[len(invoicesService):])
	}
	return (entity == "invoices" || entity == "address") && action == "write"
}

// Check returns [ErrTooMighty], with what a macaroon may do beyond its role. The caveats
// are not looked at: they can only take away.
func (r Role) Check(raw []byte) error {
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
		return fmt.Errorf("%w (%s)", ErrTooMighty, strings.Join(beyond, ", "))
	}
	return nil
}

// Lacks returns the methods of invoicesrpc, of those that are named, that a macaroon may not call.
func Lacks(raw []byte, methods ...string) (lacks []string, err error) {
	ops, err := permissions(raw)
	if err != nil {
		return nil, err
	}
	may := map[string]bool{}
	for _, op := range ops {
		for _, action := range op.Actions {
			may[op.Entity+":"+action] = true
		}
	}
	for _, method := range methods {
		action := "invoices:read"
		if slices.Contains(making, method) {
			action = "invoices:write"
		}
		if !may[action] && !may["uri:"+invoicesService+method] {
			lacks = append(lacks, method)
		}
	}
	return lacks, nil
}

// Want returns an error unless the macaroon of a role's setting may call those methods of invoicesrpc.
func Want(raw []byte, role string, methods ...string) error {
	lacks, err := Lacks(raw, methods...)
	if err != nil || len(lacks) == 0 {
		return err
	}
	const uri = "uri:" + invoicesService
	return fmt.Errorf("the macaroon of SANDGLASS_LND_%s_MACAROON may not call %s: bake another, with %s%s beside what it may "+
		"(systemd/MANUAL.md, Macaroons)", role, strings.Join(lacks, ", "), uri, strings.Join(lacks, " "+uri))
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
