package enforce

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"sandglass/domain/instant"
	"sandglass/domain/plan/param"
	"sandglass/domain/resource"
)

// Version is of the formats of [Want], [Is] and [Beat].
const Version = 1

// Bounds of what is in a file.
const (
	MaxSize   = 16 << 10 // bytes of a file
	MaxParams = 32       // parameters of a resource
	MaxParam  = param.MaxValue
	maxText   = 500 // bytes of what is for people

	maxInvocation = 64 // bytes of what names a run
)

// Systemd is the name of the enforcer whose wants have a unit.
const Systemd = "systemd"

// ErrDamaged says that a file is not what Marshal writes.
var ErrDamaged = errors.New("damaged")

// Want is what the daemon wants of a resource: the file want/<id>.
type Want struct {
	Version    int               `json:"version"`
	ID         string            `json:"id"`                   // of the resource, and the name of the file
	State      State             `json:"state"`                // Up, Down or Gone
	Enforcer   string            `json:"enforcer"`             // [Systemd], or the name of an executable in the operator's folder
	Unit       string            `json:"unit,omitempty"`       // for systemd: the template, as in app@.service
	Until      Boottime          `json:"until,omitempty"`      // when Up ends
	Lasts      Boottime          `json:"lasts_ms,omitempty"`   // how long Up lasts from when it is up, until Until at most; 0 is until Until
	From       Boottime          `json:"from,omitempty"`       // of what lasts: what was up before has been since then
	Boot       string            `json:"boot"`                 // the boot of which Until is; in another one nothing comes of it
	Generation int64             `json:"generation"`           // from 1; grows with each change
	Plan       string            `json:"plan"`                 // what it is told of itself, from here on
	Host       string            `json:"host,omitempty"`       // to which it belongs; empty where there is one machine
	Lost       bool              `json:"lost,omitempty"`       // Down or Gone: the log does not know the resource any more
	PaidUntil  string            `json:"paid_until,omitempty"` // RFC 3339 with three decimals: for people
	Params     map[string]string `json:"params,omitempty"`     // as the plan declares them: text, which may have lines
}

// Is is what the keeper found of a resource: the file is/<id>.
type Is struct {
	Version    int      `json:"version"`
	ID         string   `json:"id"`
	State      State    `json:"state"`
	Since      Boottime `json:"since"` // when it became so, of this boot
	Boot       string   `json:"boot"`
	Generation int64    `json:"generation"`           // of the want that was acted on; 0 if none was
	Why        string   `json:"why,omitempty"`        // why it is not as wanted, or how it ended: for people
	Tries      int      `json:"tries,omitempty"`      // that failed since it last was as wanted
	Invocation string   `json:"invocation,omitempty"` // see [Status]
	First      Boottime `json:"first,omitempty"`      // since when it is known what it was; 0 if it is not
	Outages    []Outage `json:"outages,omitempty"`    // of this boot, oldest first, up to [MaxOutages]; between them it was up
}

// Marshal returns w as its file holds it, or an error if there can be no such want. It sets the
// version.
func (w *Want) Marshal() ([]byte, error) {
	c := *w
	c.Version = Version
	if err := c.check(); err != nil {
		return nil, err
	}
	return marshal(&c)
}

// ParseWant reads what [Want.Marshal] wrote for a resource, byte for byte, or returns [ErrDamaged].
func ParseWant(id string, b []byte) (*Want, error) {
	w := new(Want)
	if err := parse(b, w, &w.Version); err != nil {
		return nil, err
	}
	if w.ID != id {
		return nil, fmt.Errorf("%w: it is of %.80q", ErrDamaged, w.ID)
	}
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return w, nil
}

const untilThen = ": nothing is started or stopped until there is a valid one"

// overTime is why what is wanted up is stopped.
const overTime = "its time has run out"

// Verb returns what w comes to at an instant of a boot, and why, where that is not what its state
// says. It is empty where nothing is to be started or stopped. How long something lasts goes by what it
// was found to be.
func (w *Want) Verb(is *Is, boot string, now Boottime) (v Verb, why string) {
	switch {
	case w.Boot != boot:
		return "", "its want is of another boot" + untilThen
	case w.State == Up && w.End(is) <= now:
		return Stop, overTime
	}
	return Verb(w.State), ""
}

// End returns when w's Up ends, given what the resource was found to be: 0 of what is not wanted up. What
// lasts does so from when it is up. Stopped once its time was over, it has none before another want.
func (w *Want) End(is *Is) Boottime {
	switch {
	case w.Lasts == 0:
	case is.State == Up:
		return min(w.Until, max(w.From, is.Since)+w.Lasts)
	case is.Generation == w.Generation && is.Why == overTime:
		return min(w.Until, is.Since)
	}
	return w.Until
}

// IsDone reports whether a state is what v leads to. What is gone is down, too.
func (v Verb) IsDone(s State) bool { return s == State(v) || v == Stop && s == Gone }

// Marshal returns i as its file holds it, or an error if there can be no such. It sets the
// version, and cuts Why.
func (i *Is) Marshal() ([]byte, error) {
	c := *i
	c.Version = Version
	c.Why = line(c.Why)
	if err := c.check(); err != nil {
		return nil, err
	}
	return marshal(&c)
}

// ParseIs reads what [Is.Marshal] wrote for a resource, byte for byte, or returns [ErrDamaged].
func ParseIs(id string, b []byte) (*Is, error) {
	i := new(Is)
	if err := parse(b, i, &i.Version); err != nil {
		return nil, err
	}
	if i.ID != id {
		return nil, fmt.Errorf("%w: it is of %.80q", ErrDamaged, i.ID)
	}
	if err := i.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return i, nil
}

// marshal writes one field a line, for people who use cat.
func marshal(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil && len(b) >= MaxSize {
		err = fmt.Errorf("it takes %d bytes: want %d at most", len(b)+1, MaxSize)
	}
	return append(b, '\n'), err
}

// parse reads what marshal wrote, and nothing that is only like it: no field twice, none that is
// not known, none in other letters, nothing behind it.
func parse(b []byte, v any, version *int) error {
	if len(b) > MaxSize {
		return fmt.Errorf("%w: it has more than %d bytes", ErrDamaged, MaxSize)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if *version != Version {
		return fmt.Errorf("%w: version %d, and this build knows %d alone", ErrDamaged, *version, Version)
	}
	if same, err := marshal(v); err != nil || !bytes.Equal(b, same) {
		return fmt.Errorf("%w: it is not as it was written", ErrDamaged)
	}
	return nil
}

var (
	unitName = regexp.MustCompile(`^[A-Za-z0-9:_.-]+@\.service$`)
	bootName = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
)

// maxUnit leaves an instance of 64 bytes its room in the name of a unit, which has up to 255.
const maxUnit = 190

func (w *Want) check() error {
	systemd := w.Enforcer == Systemd
	switch {
	case !resource.IsName(w.ID):
		return fmt.Errorf("no resource can be called %.80q", w.ID)
	case w.State != Up && w.State != Down && w.State != Gone:
		return fmt.Errorf("the state %.80q can't be wanted", w.State)
	case !resource.IsName(w.Enforcer):
		return fmt.Errorf("the enforcer %.80q: want 1 to 64 of a-z, 0-9 and -, no - at the ends", w.Enforcer)
	case systemd && (!unitName.MatchString(w.Unit) || len(w.Unit) > maxUnit):
		return fmt.Errorf("the unit %.80q: want a template such as app@.service", w.Unit)
	case !systemd && w.Unit != "":
		return fmt.Errorf("the enforcer %s has no units", w.Enforcer)
	case w.State == Up && w.Until <= 0:
		return errors.New("it has no end")
	case w.Lasts < 0 || w.From < 0 || (w.Lasts == 0) != (w.From == 0) || w.State != Up && w.Lasts != 0:
		return fmt.Errorf("what is wanted %s lasts %d ms from %d on", w.State, w.Lasts, w.From)
	case w.State != Up && w.Until != 0:
		return errors.New("what is not up has no end")
	case w.State == Up && w.Lost:
		return errors.New("what is lost is not up")
	case !bootName.MatchString(w.Boot):
		return fmt.Errorf("no boot has the id %.80q", w.Boot)
	case w.Generation < 1:
		return fmt.Errorf("the generation %d: want 1 or more", w.Generation)
	}
	return w.checkTold()
}

// checkTold checks what the resource is told of itself.
func (w *Want) checkTold() error {
	if !resource.IsName(w.Plan) {
		return fmt.Errorf("no plan can be called %.80q", w.Plan)
	}
	if w.Host != "" && !resource.IsName(w.Host) {
		return fmt.Errorf("no host can be called %.80q", w.Host)
	}
	if w.PaidUntil != "" {
		if _, err := instant.Parse(w.PaidUntil); err != nil {
			return err
		}
	}
	if len(w.Params) > MaxParams {
		return fmt.Errorf("it has %d parameters: want %d at most", len(w.Params), MaxParams)
	}
	for name, value := range w.Params {
		if !param.IsName(name) || len(value) > MaxParam || !param.IsText(value) {
			return fmt.Errorf("the parameter %.80q: want a name of a-z, 0-9 and _ and up to %d bytes of text", name, MaxParam)
		}
	}
	return nil
}

func (i *Is) check() error {
	switch i.State {
	case Up, Down, Gone, Starting, Stopping, Unknown:
	default:
		return fmt.Errorf("nothing can be %.80q", i.State)
	}
	switch {
	case !resource.IsName(i.ID):
		return fmt.Errorf("no resource can be called %.80q", i.ID)
	case i.Since < 0 || i.Generation < 0 || i.Tries < 0 || i.First < 0:
		return errors.New("a number is negative")
	case !bootName.MatchString(i.Boot):
		return fmt.Errorf("no boot has the id %.80q", i.Boot)
	case len(i.Invocation) > maxInvocation || !isLine(i.Invocation) || len(i.Why) > maxText || !isLine(i.Why):
		return errors.New("a text is too long or has more than one line")
	}
	return checkOutages(i.Outages)
}

// isLine reports whether s is UTF-8 without control characters.
func isLine(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// line makes a line of what somebody else wrote, and cuts it.
func line(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), unicode.IsControl), " ")
	for len(s) > maxText {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
