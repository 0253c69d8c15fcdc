package host

import (
	"context"
	"fmt"

	"sandglass/adapters/keepersocket"
	"sandglass/domain/billing/params"
	"sandglass/domain/enforce/access"
	"sandglass/domain/resource"
)

// Access asks the keeper how a resource of this host is reached: see package access for the errors.
func (h *Host) Access(ctx context.Context, id resource.ID) (string, error) {
	s, _, ok := h.Views.Resource(id)
	switch {
	case !ok: // it was only ordered
		return "", access.ErrNotUp
	case s.Enforcer == "":
		return "", access.ErrNone
	case h.Name != "" && s.Host != h.Name:
		return "", fmt.Errorf("%w: ask the daemon of %q", params.ErrElsewhere, s.Host)
	}
	return keepersocket.Ask(ctx, h.folder.Socket(), string(id))
}
