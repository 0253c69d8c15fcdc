package param

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Values are what an order says, by the names of parameters. An empty value is none.
type Values map[string]string

// MaxTotal bounds all values of a resource, as JSON: what starts it is told them in one file.
const MaxTotal = 12 << 10

// ErrInvalid says that a value is not as its plan declares it. Nothing was changed.
var ErrInvalid = errors.New("invalid parameter")

// Error is [ErrInvalid], and says of which parameter.
type Error struct {
	Name string // as it was given
	Why  string // and what would be right; it does not tell the value
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("the parameter %.40q %s", e.Name, e.Why) }

// Unwrap implements the interface of [errors.Is].
func (*Error) Unwrap() error { return ErrInvalid }

func bad(name, format string, args ...any) error { return &Error{name, fmt.Sprintf(format, args...)} }

// Complete returns values with the defaults of those that are left out, and without those that are empty.
// The error is an [Error], of the first parameter by name that is not as s declares it.
func (s Spec) Complete(given Values) (Values, error) {
	if err := s.CheckNames(given); err != nil {
		return nil, err
	}
	params := s.Params()
	values := Values{}
	for i := range params {
		p := &params[i]
		value := given[p.Name]
		if value == "" {
			value = p.Default
		}
		switch {
		case value != "":
			if err := p.accept(value); err != nil {
				return nil, err
			}
			values[p.Name] = value
		case p.Required:
			return nil, bad(p.Name, "is missing: the plan requires it")
		}
	}
	if n := len(values.canonical()); n > MaxTotal {
		return nil, bad(values.longest(), "is the longest, and all together take %d bytes as JSON: want %d at most", n, MaxTotal)
	}
	return values, nil
}

// CheckNames returns an [Error] for the first of values by name that s does not declare.
func (s Spec) CheckNames(values Values) error {
	var names []string
	for _, p := range s.Params() {
		names = append(names, p.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case slices.Contains(names, name):
		case len(names) == 0:
			return bad(name, "is unknown: the plan has no parameters")
		default:
			return bad(name, "is unknown: the plan has %s", strings.Join(names, ", "))
		}
	}
	return nil
}

// accept returns an error unless value is as p declares it.
func (p *Param) accept(value string) error {
	switch {
	case !utf8.ValidString(value):
		return bad(p.Name, "is no UTF-8")
	case len(p.Choices) > 0 && !slices.Contains(p.Choices, value):
		return bad(p.Name, "is none of its choices: %s", strings.Join(p.Choices, ", "))
	case len(p.Choices) == 0 && len(value) > p.Max:
		return bad(p.Name, "has %d bytes: want %d at most", len(value), p.Max)
	case !p.Lines && strings.Contains(value, "\n"):
		return bad(p.Name, "has more than one line: want one, without a line's end")
	case !IsText(value):
		return bad(p.Name, "has a character that is none of text, such as NUL, a tab or U+FFFD: want none")
	}
	return nil
}

// IsText reports whether a value can be told to what starts a resource: UTF-8 in lines, without other
// control characters, and without U+FFFD, which stands for what was none.
func IsText(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, func(r rune) bool {
		return r == utf8.RuneError || r != '\n' && unicode.IsControl(r)
	})
}

// Merge returns v with what is changed: an empty value takes one away.
func (v Values) Merge(changed Values) Values {
	merged := Values{}
	maps.Copy(merged, v)
	maps.Copy(merged, changed)
	maps.DeleteFunc(merged, func(_, value string) bool { return value == "" })
	return merged
}

// Hash returns the SHA-256 of a salt and the values. Without the salt, which is as secret as they are,
// nobody can try out what they might be.
func (v Values) Hash(salt [16]byte) [32]byte {
	return sha256.Sum256(append([]byte("sandglass params\x00"+string(salt[:])), v.canonical()...))
}

// canonical is v as JSON, by name. It is of text.
func (v Values) canonical() []byte {
	b, _ := json.Marshal(map[string]string(v)) // strings can be written
	return b
}

func (v Values) longest() (name string) {
	for _, n := range slices.Sorted(maps.Keys(v)) {
		if len(v[n]) > len(v[name]) {
			name = n
		}
	}
	return name
}

// Known returns those of values that s declares.
func (s Spec) Known(values Values) Values {
	known := Values{}
	for _, p := range s.Params() {
		if value, ok := values[p.Name]; ok {
			known[p.Name] = value
		}
	}
	return known
}
