package config

import (
	"errors"
	"path/filepath"
	"strings"
)

// Keeper is what `sandglass keeper` reads from the environment. It may stand in one file with
// the settings of the daemon; those that are wrong are then none of its business.
type Keeper struct {
	RunDir       string `envconfig:"SANDGLASS_RUN_DIR" default:"/run/sandglass"`
	StateDir     string `envconfig:"SANDGLASS_KEEPER_STATE_DIR" default:"/var/lib/sandglass-keeper"`
	SystemdUnits string `envconfig:"SANDGLASS_SYSTEMD_UNITS"`
	Enforcers    string `envconfig:"SANDGLASS_ENFORCERS" default:"/etc/sandglass/enforcers"`
	BootID       string `envconfig:"SANDGLASS_BOOT_ID"`
	LogLevel     string `envconfig:"SANDGLASS_LOG_LEVEL" default:"info"`
	LogFormat    string `envconfig:"SANDGLASS_LOG_FORMAT" default:"json"`
}

// LoadKeeper is [Load] of the keeper's settings.
func LoadKeeper() (Keeper, error) {
	var c Keeper
	if err := process(&c); err != nil {
		return c, err
	}
	return c, errors.Join(
		checkNames(),
		want(filepath.IsAbs(c.RunDir) && filepath.Clean(c.RunDir) != "/", "RUN_DIR", c.RunDir, "a folder such as /run/sandglass"),
		want(filepath.IsAbs(c.StateDir), "KEEPER_STATE_DIR", c.StateDir, "a folder such as /var/lib/sandglass-keeper"),
		want(filepath.IsAbs(c.Enforcers), "ENFORCERS", c.Enforcers, "a folder such as /etc/sandglass/enforcers"),
		checkLog(c.LogLevel, c.LogFormat),
	)
}

// Units returns the patterns of units that may be rented out.
func (c *Keeper) Units() (list []string) {
	for pattern := range strings.SplitSeq(c.SystemdUnits, ",") {
		if pattern = strings.TrimSpace(pattern); pattern != "" {
			list = append(list, pattern)
		}
	}
	return list
}
