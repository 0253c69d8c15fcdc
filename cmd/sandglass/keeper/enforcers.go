package keeper

import (
	"os"
	"path/filepath"

	"sandglass/adapters/command"
	"sandglass/adapters/systemd"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/enforce"
)

// enforcers are those that a want can name: systemd, and the operator's executables.
type enforcers struct {
	units       *systemd.Enforcer
	executables *command.Enforcer
}

func openEnforcers(c config.Keeper) (*enforcers, error) {
	units, err := systemd.New(systemd.Options{Allowed: c.Units(), EnvDir: filepath.Join(c.RunDir, "resources")})
	if err != nil {
		return nil, err
	}
	executables := command.New(command.Options{
		Dir: c.Enforcers, StateDir: filepath.Join(c.RunDir, "enforcers"), Environ: os.Environ(),
	})
	return &enforcers{units, executables}, nil
}

// of returns the enforcer that a want names. Whether there is such an executable is found out when
// it is needed.
func (e *enforcers) of(w *enforce.Want) (enforce.Enforcer, error) {
	if w.Enforcer == enforce.Systemd {
		return e.units, nil
	}
	return e.executables, nil
}
