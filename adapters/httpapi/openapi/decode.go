package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is deeper than any request is nested.
const maxDepth = 16

// unmarshal reads JSON more strictly than the standard library: what two programs could
// read differently is refused. That is text that is not UTF-8, a name that comes twice,
// and a name that is known in lower case only.
func unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not UTF-8")
	}
	if _, first := v.(*any); first { // huma reads each body twice
		if err := check(data); err != nil {
			return err
		}
	}
	err := json.Unmarshal(data, v)
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && strings.HasPrefix(t.Value, "number") {
		// To a schema 3.6e6 is an integer.
		return fmt.Errorf("%s: want a whole number of up to 63 bits, in digits alone, such as 3600000", t.Field)
	}
	return err
}

// check walks over one JSON value and refuses it for what json.Unmarshal would let pass.
func check(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := value(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more follows after the JSON value")
	}
	return nil
}

func value(d *json.Decoder, depth int) error {
	t, err := nextToken(d)
	if err != nil {
		return err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("the JSON value is nested more than %d deep", maxDepth)
	}
	names := map[string]bool{}
	for d.More() {
		if delim == '{' {
			if err := name(d, names); err != nil {
				return err
			}
		}
		if err := value(d, depth+1); err != nil {
			return err
		}
	}
	_, err = nextToken(d)
	return err
}

func name(d *json.Decoder, seen map[string]bool) error {
	t, err := nextToken(d)
	if err != nil {
		return err
	}
	name, _ := t.(string) // the decoder lets nothing else be a name
	switch {
	case seen[name]:
		return fmt.Errorf("the name %.40q comes twice in an object", name)
	case name != strings.ToLower(name):
		return fmt.Errorf("there is no name %.40q: all names are of lower case", name)
	}
	seen[name] = true
	return nil
}

// nextToken returns the next token, and says of a text that breaks off that it does.
func nextToken(d *json.Decoder) (json.Token, error) {
	t, err := d.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	return t, nil
}
