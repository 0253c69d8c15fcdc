package host

import "sandglass/domain/resource"

// lacksParams reports whether what a resource of this host is to be told is not kept here: it was lost, or
// the resource was on another host.
func (h *Host) lacksParams(s *resource.State) bool {
	if s.Status == resource.StatusReleased || s.Enforcer == "" || h.Name != "" && s.Host != h.Name {
		return false
	}
	_, kept := h.Values(s.ID, s.Config.Of())
	return !kept
}

// tellMissing logs, once the log is folded, how many resources lack their parameters: no backup has them.
func (h *Host) tellMissing() {
	n, first := 0, resource.ID("")
	for page := (views{h}).All(""); len(page) > 0; page = (views{h}).All(page[len(page)-1].ID) {
		for i := range page {
			if h.lacksParams(&page[i]) {
				if n++; n == 1 {
					first = page[i].ID
				}
			}
		}
	}
	if n > 0 {
		h.Log.Warn().Str("component", "enforce").Int("resources", n).Str("first", string(first)).Msg(
			"the parameters of resources of this host are not kept here, and what is started anew is not told them: put back params/ of " +
				"the state folder, or have their holders set them again (resource set)")
	}
}
