package lnd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/lightningnetwork/lnd/lnrpc"
)

// BakeMacaroon bakes a macaroon with a root key and writes it to a file of the
// node's folder, whose path it returns. A permission is a method ("/lnrpc.Lightning/
// GetInfo", in one word) or an entity and an action ("invoices:read").
func (d *Node) BakeMacaroon(ctx context.Context, rootKeyID uint64, permissions ...string) (path string, err error) {
	req := &lnrpc.BakeMacaroonRequest{RootKeyId: rootKeyID}
	for _, permission := range permissions {
		entity, action, ok := strings.Cut(permission, ":")
		if strings.HasPrefix(permission, "/") {
			entity, action = "uri", permission
		} else if !ok {
			return "", fmt.Errorf("permission %q is neither /package.Service/Method nor entity:action", permission)
		}
		req.Permissions = append(req.Permissions, &lnrpc.MacaroonPermission{Entity: entity, Action: action})
	}
	resp, err := d.Lightning.BakeMacaroon(ctx, req)
	if err != nil {
		return "", fmt.Errorf("bake a macaroon: %w", err)
	}
	mac, err := hex.DecodeString(resp.Macaroon)
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(d.Dir, fmt.Sprintf("baked-%d-*.macaroon", rootKeyID))
	if err != nil {
		return "", err
	}
	_, err = file.Write(mac)
	return file.Name(), errors.Join(err, file.Close())
}

// DeleteMacaroonID revokes every macaroon that was baked with the root key.
func (d *Node) DeleteMacaroonID(ctx context.Context, rootKeyID uint64) error {
	resp, err := d.Lightning.DeleteMacaroonID(ctx, &lnrpc.DeleteMacaroonIDRequest{RootKeyId: rootKeyID})
	if err == nil && !resp.Deleted {
		err = fmt.Errorf("%s has no root key %d", d.Name, rootKeyID)
	}
	return err
}
