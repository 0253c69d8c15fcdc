package enforce

import (
	"fmt"
	"strings"

	"sandglass/domain/resource"
)

// SplitSpec returns what a plan says of its enforcer, "systemd:app@.service" or the name of an
// executable in the operator's folder, as the enforcer's name and, for systemd, its template.
func SplitSpec(spec string) (name, unit string) {
	name, unit, _ = strings.Cut(spec, ":")
	return name, unit
}

// CheckSpec returns an error that says what would be right, unless a plan can say that. Whether
// the unit is allowed, or the executable there, each host's keeper tells.
func CheckSpec(spec string) error {
	name, unit := SplitSpec(spec)
	switch {
	case name == Systemd && (!unitName.MatchString(unit) || len(unit) > maxUnit):
		return fmt.Errorf("the enforcer %.80q: want a unit that is a template, as in systemd:app@.service", spec)
	case name != Systemd && (unit != "" || !resource.IsName(spec)):
		return fmt.Errorf("the enforcer %.80q: want systemd:TEMPLATE, as in systemd:app@.service, or the name of an executable "+
			"in the folder of enforcers: 1 to 64 of a-z, 0-9 and -, no - at the ends", spec)
	}
	return nil
}
