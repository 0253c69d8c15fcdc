package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"sandglass/domain/plan/param"
)

// Params reads what is said of a resource: NAME=VALUE, where @FILE stands for what is in a file, without a
// line's end at its end, and @- for what is on stdin.
func (e *Env) Params(texts []string) (map[string]string, error) {
	said := map[string]string{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := said[name]; !ok || twice || !param.IsName(name) {
			return nil, Usage("%.60q: want NAME=VALUE, each name once: ssh_key=@id.pub", text)
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			var err error
			if value, err = e.content(file); err != nil {
				return nil, fmt.Errorf("the parameter %s: %w", name, err)
			}
		}
		said[name] = value
	}
	return said, nil
}

// content reads a file, or stdin, that can be a value.
func (e *Env) content(file string) (string, error) {
	from := e.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, param.MaxValue+2))
	if err != nil {
		return "", err
	}
	if b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r")); len(b) > param.MaxValue {
		return "", fmt.Errorf("%s has more than %d bytes", file, param.MaxValue)
	}
	return string(b), nil
}

// ParamsHelp says how values are given.
const ParamsHelp = `A value is text; @FILE is what is in a file, such as ssh_key=@id.pub, and @- what is on stdin.`
