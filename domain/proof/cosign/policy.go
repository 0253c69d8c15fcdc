package cosign

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sandglass/domain/proof/checkpoint"
)

// Bounds of a policy.
const (
	MaxWitnesses = 32
	MaxPolicy    = 64 << 10 // bytes of its file
)

// Errors that callers branch on.
var (
	// ErrPolicy says that a text is no policy.
	ErrPolicy = errors.New("cosign: malformed policy")
	// ErrQuorum says that a checkpoint is the log's, and that too few witnesses cosigned it.
	ErrQuorum = errors.New("cosign: too few witnesses cosigned it")
)

// Policy is what a verifier trusts: a log's key, the witnesses, and how many of which of these it takes.
type Policy struct {
	Log       string // its public key
	Witnesses []*Witness
	quorum    rule
}

// rule says whether it is enough that these witnesses cosigned.
type rule func(by map[*Witness]bool) bool

// NewPolicy returns the policy that so many of the witnesses are to cosign, no matter which: from 0 to all.
func NewPolicy(log string, quorum int, witnesses ...*Witness) (*Policy, error) {
	p := &Policy{Log: log}
	rules := make([]rule, len(witnesses))
	for i, w := range witnesses {
		if err := p.add(w); err != nil {
			return nil, err
		}
		rules[i] = one(w)
	}
	if quorum < 0 || quorum > len(witnesses) {
		return nil, fmt.Errorf("%w: a quorum of %d of %d witnesses", ErrPolicy, quorum, len(witnesses))
	}
	p.quorum = atLeast(quorum, rules)
	return p, nil
}

func one(w *Witness) rule { return func(by map[*Witness]bool) bool { return by[w] } }

func atLeast(n int, rules []rule) rule {
	return func(by map[*Witness]bool) bool {
		have := 0
		for _, r := range rules {
			if r(by) {
				have++
			}
		}
		return have >= n
	}
}

// add adds a witness, unless one has its key: nobody counts twice.
func (p *Policy) add(w *Witness) error {
	for _, other := range p.Witnesses {
		if other.key.Equal(w.key) || other.name == w.name && other.id == w.id {
			return fmt.Errorf("%w: the witnesses %s and %s have one key: who has it would count twice", ErrPolicy, other.name, w.name)
		}
	}
	if len(p.Witnesses) == MaxWitnesses {
		return fmt.Errorf("%w: more than %d witnesses", ErrPolicy, MaxWitnesses)
	}
	p.Witnesses = append(p.Witnesses, w)
	return nil
}

// ParsePolicy reads the file of a policy, of lines as these, in which # begins a comment:
//
//	log <key>
//	witness <name> <key>
//	group <name> <how many, any or all> <names of witnesses or groups>
//	quorum <name of a witness or group, or none>
func ParsePolicy(text string) (*Policy, error) {
	if len(text) > MaxPolicy {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrPolicy, MaxPolicy)
	}
	p := parser{rules: map[string]rule{}}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if err := p.line(fields); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrPolicy, i+1, err)
		}
	}
	switch {
	case p.Log == "":
		return nil, fmt.Errorf("%w: it names no log: want a line log KEY", ErrPolicy)
	case p.quorum == nil:
		return nil, fmt.Errorf("%w: want a line quorum NAME, or quorum none", ErrPolicy)
	}
	return &p.Policy, nil
}

type parser struct {
	Policy
	rules map[string]rule // by the names of the file
}

func (p *parser) line(f []string) error {
	switch {
	case f[0] == "log" && len(f) >= 2: // a URL may follow
		if p.Log != "" {
			return errors.New("it is of one log")
		}
		p.Log = f[1]
		return checkpoint.CheckVKey(f[1])
	case f[0] == "witness" && len(f) >= 3:
		w, err := ParseWitness(f[2])
		if err == nil {
			err = p.add(w)
		}
		if err != nil {
			return err
		}
		return p.name(f[1], one(w))
	case f[0] == "group" && len(f) >= 4:
		return p.group(f[1], f[2], f[3:])
	case f[0] == "quorum" && len(f) == 2:
		return p.last(f[1])
	}
	return errors.New("want log KEY, witness NAME KEY, group NAME COUNT NAME…, or quorum NAME")
}

// name gives a rule its name.
func (p *parser) name(name string, r rule) error {
	if _, there := p.rules[name]; there || name == none {
		return fmt.Errorf("the name %.100q is there already", name)
	}
	p.rules[name] = r
	return nil
}

// none is the quorum of those who trust the log alone.
const none = "none"

func (p *parser) group(name, count string, of []string) error {
	rules := make([]rule, len(of))
	for i, member := range of {
		if rules[i] = p.rules[member]; rules[i] == nil {
			return fmt.Errorf("no line before it names %.100q", member)
		}
	}
	n, err := strconv.Atoi(count)
	switch {
	case count == "any":
		n = 1
	case count == "all":
		n = len(of)
	case err != nil || n < 1 || n > len(of):
		return fmt.Errorf("%.20q of %d: want a number up to that, any or all", count, len(of))
	}
	return p.name(name, atLeast(n, rules))
}

func (p *parser) last(name string) error {
	switch {
	case p.quorum != nil:
		return errors.New("there is a quorum already")
	case name == none:
		p.quorum = atLeast(0, nil)
	default:
		if p.quorum = p.rules[name]; p.quorum == nil {
			return fmt.Errorf("no line before it names %.100q", name)
		}
	}
	return nil
}

// Enough reports whether those are enough who said these lines.
func (p *Policy) Enough(lines []Line) bool {
	by := map[*Witness]bool{}
	for _, line := range lines {
		by[line.Witness] = true
	}
	return p.quorum(by)
}

// Open returns the checkpoint in a note that the log signed, with the lines of the witnesses that cosigned
// it. It is [ErrQuorum] if these are not enough.
func (p *Policy) Open(msg []byte) (c checkpoint.Checkpoint, lines []Line, err error) {
	if c, err = checkpoint.Open(msg, p.Log); err != nil {
		return c, nil, err
	}
	if lines, err = Lines(msg, p.Witnesses); err != nil {
		return c, nil, err
	}
	if !p.Enough(lines) {
		err = fmt.Errorf("%w: %d of the %d of the policy", ErrQuorum, len(lines), len(p.Witnesses))
	}
	return c, lines, err
}
