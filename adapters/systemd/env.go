package systemd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sandglass/domain/enforce"
)

func (e *Enforcer) envFile(id string) string { return filepath.Join(e.envDir, id+".env") }

// writeEnv leaves what w's resource is told where EnvironmentFile= finds it. Only root reads
// it: systemd does so before it gives up its rights.
func (e *Enforcer) writeEnv(w *enforce.Want) error {
	content, err := environmentFile(w.Environ())
	if err != nil {
		return err
	}
	if is, err := os.ReadFile(e.envFile(w.ID)); err == nil && bytes.Equal(is, content) {
		return nil
	}
	// No other file is called so: the name of a resource has no dot.
	part := filepath.Join(e.envDir, "."+w.ID+".part")
	if err := os.WriteFile(part, content, 0o600); err != nil {
		return err
	}
	return os.Rename(part, e.envFile(w.ID))
}

func (e *Enforcer) hasEnv(id string) bool {
	_, err := os.Lstat(e.envFile(id))
	return !errors.Is(err, fs.ErrNotExist)
}

func (e *Enforcer) removeEnv(id string) error {
	if err := os.Remove(e.envFile(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// inQuotes escapes what means something to systemd between double quotes.
var inQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")

// environmentFile writes NAME=value as systemd's EnvironmentFile= reads it. Control characters but
// the end of a line are refused: systemd would leave the variable out, and say so in its journal alone.
func environmentFile(environ []string) ([]byte, error) {
	var b bytes.Buffer
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if strings.ContainsFunc(value, func(r rune) bool { return r != '\n' && r < ' ' || r == 0x7f || r == '\uFFFD' }) {
			return nil, fmt.Errorf("%w: %s has characters that no unit can be told", enforce.ErrRefused, name)
		}
		fmt.Fprintf(&b, "%s=\"%s\"\n", name, inQuotes.Replace(value))
	}
	return b.Bytes(), nil
}
