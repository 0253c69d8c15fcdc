// Package param is what a plan lets an order say of the resource: parameters, such as an SSH key or an
// image. A plan declares them ([Spec]), an order and its holder give the values, which are text and go to
// what starts the resource. Where the values are kept is left to others.
package param

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what a plan declares.
const (
	MaxParams  = 16   // parameters of a plan
	MaxValue   = 4096 // bytes of a value
	MaxChoices = 32
	MaxSpec    = 4096 // bytes of all that is declared
)

// DefaultMax is how many bytes a value has at most, if it is not said.
const DefaultMax = 256

var (
	nameRule   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	choiceRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/@+-]{0,63}$`)
)

// IsName reports whether a parameter can be called so, and in capitals a variable of an environment.
func IsName(name string) bool { return nameRule.MatchString(name) }

// Param is a parameter as a plan declares it.
type Param struct {
	Name     string
	Required bool
	Max      int      // bytes of a value; 0 where there are choices
	Lines    bool     // a value may have several lines; else it has one
	Choices  []string // if there are any, a value is one of them
	Default  string   // one of the choices; empty if there is none
}

// Parse reads a parameter as it is declared: its name, and then, each after a colon, required, max=800,
// lines, choice=debian,alpine and default=debian.
func Parse(text string) (p Param, err error) {
	parts := strings.Split(text, ":")
	p.Name, parts = parts[0], parts[1:]
	for _, part := range parts {
		rule, value, _ := strings.Cut(part, "=")
		switch {
		case part == "required":
			p.Required = true
		case part == "lines":
			p.Lines = true
		case rule == "max":
			if p.Max, err = strconv.Atoi(value); err != nil || p.Max < 1 {
				return p, fmt.Errorf("the parameter %.40q: max=%.20s: want 1 to %d bytes", p.Name, value, MaxValue)
			}
		case rule == "choice":
			p.Choices = strings.Split(value, ",")
		case rule == "default":
			p.Default = value
		default:
			return p, fmt.Errorf("the parameter %.40q has no %.40q: want required, max=800, lines, choice=debian,alpine or default=debian",
				p.Name, part)
		}
	}
	if p.Max == 0 && len(p.Choices) == 0 {
		p.Max = DefaultMax
	}
	return p, p.Check()
}

// Check returns an error unless p can be declared.
func (p *Param) Check() error {
	switch {
	case !IsName(p.Name):
		return fmt.Errorf("no parameter can be called %.40q: want 1 to 32 of a-z, 0-9 and _, a letter first", p.Name)
	case len(p.Choices) > MaxChoices:
		return fmt.Errorf("the parameter %s has %d choices: want %d at most", p.Name, len(p.Choices), MaxChoices)
	case len(p.Choices) > 0 && (p.Max != 0 || p.Lines):
		return fmt.Errorf("the parameter %s has choices: it needs neither max nor lines", p.Name)
	case len(p.Choices) == 0 && (p.Max < 1 || p.Max > MaxValue):
		return fmt.Errorf("the parameter %s has up to %d bytes: want max=1 to max=%d", p.Name, p.Max, MaxValue)
	case p.Default != "" && !slices.Contains(p.Choices, p.Default):
		return fmt.Errorf("the parameter %s has the default %.40q: want one of its choices", p.Name, p.Default)
	case p.Default != "" && p.Required:
		return fmt.Errorf("the parameter %s is required and has a default: want one of both", p.Name)
	}
	for i, choice := range p.Choices {
		if !choiceRule.MatchString(choice) || slices.Contains(p.Choices[:i], choice) {
			return fmt.Errorf("the parameter %s has the choice %.80q: want each once, 1 to 64 letters, digits and . _ - / @ +",
				p.Name, choice)
		}
	}
	return nil
}

// String returns p as [Parse] reads it, in its one form.
func (p *Param) String() string {
	text := p.Name
	if p.Required {
		text += ":required"
	}
	if p.Max > 0 {
		text += ":max=" + strconv.Itoa(p.Max)
	}
	if p.Lines {
		text += ":lines"
	}
	if len(p.Choices) > 0 {
		text += ":choice=" + strings.Join(p.Choices, ",")
	}
	if p.Default != "" {
		text += ":default=" + p.Default
	}
	return text
}

// Spec declares the parameters of a plan: each as [Parse] reads it, by name, with a space between. It is a
// text so that what is published can be compared.
type Spec string

// SpecOf returns the spec that declares parameters, in any order. [Spec.Check] tells whether it is one.
func SpecOf(params ...Param) Spec {
	params = slices.Clone(params)
	slices.SortStableFunc(params, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
	texts := make([]string, len(params))
	for i := range params {
		texts[i] = params[i].String()
	}
	return Spec(strings.Join(texts, " "))
}

// Params returns the parameters that s declares, by name. It is of a spec that was checked: what can't be
// read is left out.
func (s Spec) Params() (params []Param) {
	for text := range strings.FieldsSeq(string(s)) {
		if p, err := Parse(text); err == nil {
			params = append(params, p)
		}
	}
	return params
}

// Check returns an error unless s declares parameters in its one form.
func (s Spec) Check() error {
	params := s.Params()
	for text := range strings.FieldsSeq(string(s)) {
		if _, err := Parse(text); err != nil {
			return err
		}
	}
	switch {
	case len(params) > MaxParams || len(s) > MaxSpec:
		return fmt.Errorf("%d parameters in %d bytes are declared: want %d in %d at most", len(params), len(s), MaxParams, MaxSpec)
	case s != SpecOf(params...):
		return fmt.Errorf("the parameters are declared as %.80q: want them by name, with one space between", s)
	}
	for i := range len(params) - 1 {
		if params[i].Name == params[i+1].Name {
			return fmt.Errorf("the parameter %s is declared twice", params[i].Name)
		}
	}
	return nil
}
