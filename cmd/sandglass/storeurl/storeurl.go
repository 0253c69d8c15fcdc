// Package storeurl opens and makes the event log that a URL names: sqlite:PATH, or
// esdb://HOST of EventStoreDB and KurrentDB. Which technology it is matters nowhere else.
package storeurl

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/adapters/sqlite"
	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/stream"
)

// Store is an event store as the daemon uses it, and the tools.
type Store interface {
	stream.EventStore
	checkpoint.Store
	ID() string      // of the log, which what is kept beside it bears
	Writable() error // says why appends are refused now
	Close() error
}

// Importer is a store that takes the records of another log.
type Importer interface {
	Store
	Import(ctx context.Context, records []stream.Record) error
}

// The schemes of a store's URL.
const (
	sqliteScheme   = "sqlite"
	esdbScheme     = "esdb"
	discoverScheme = "esdb+discover"
)

// wantStore says what the URL of a store looks like.
const wantStore = "sqlite:PATH, or esdb://HOST:2113 with the settings of your cluster"

// Place is where a log is, and how to ask for it.
type Place struct {
	URL          string
	Dir          string // that a relative path of sqlite: is in; empty for the working folder
	PasswordFile string // of the user whom an esdb:// URL names; may be empty
	PasswordFrom string // what named that file
	Namespace    string // prefix of the log's streams in a cluster
	Floor        int64  // bytes of the disk that stay free, 0 for none

	Log func(string)        // is told what a store has to say; may be nil
	Now func() instant.Time // stamps what SQLite records; nil is the clock of the wall
}

// Shared reports whether several daemons may use the log: it is in a cluster.
func (p Place) Shared() bool { return p.scheme() != sqliteScheme }

// scheme returns what leads the URL.
func (p Place) scheme() string {
	scheme, _, _ := strings.Cut(p.URL, ":")
	return scheme
}

// Path returns the file of an embedded store.
func (p Place) Path() string {
	path := strings.TrimPrefix(p.URL, sqliteScheme+":")
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.Dir, path)
}

// String shows the place without its secrets.
func (p Place) String() string {
	if !p.Shared() {
		return p.Path()
	}
	return cluster.Redact(p.URL) + " " + p.Namespace
}

// Wanted says what the URL should be, in the words that follow "want", or nothing if it
// is that.
func (p Place) Wanted() string {
	scheme, rest, _ := strings.Cut(p.URL, ":")
	host, hasHost := strings.CutPrefix(rest, "//")
	switch scheme {
	case sqliteScheme:
		if rest != "" {
			return ""
		}
	case esdbScheme, discoverScheme:
		_, host, _ = cutLast(host, "@")
		if hasHost && host != "" && strings.IndexAny(host, "/?") != 0 {
			return ""
		}
	case "kurrentdb", "kurrent", "kdb", "kurrentdb+discover", "kurrent+discover", "kdb+discover":
		return "the same with esdb:, by which KurrentDB is reached too"
	}
	return wantStore
}

// CheckFlag says what is wrong with a URL that was given by a flag.
func CheckFlag(url string) error {
	if want := (Place{URL: url}).Wanted(); want != "" {
		return fmt.Errorf("%q is not a store such as sqlite:/var/lib/sandglass/sandglass.db: want %s", cluster.Redact(url), want)
	}
	return nil
}

// Open opens the log for the one who writes it.
func (p Place) Open(ctx context.Context) (Importer, error) {
	if p.Shared() {
		return p.openESDB(ctx, false)
	}
	floor := p.Floor
	if floor == 0 {
		floor = -1 // none
	}
	s, err := sqlite.Open(p.Path(), sqlite.Options{Now: p.now(), FreeSpaceFloor: floor})
	if err != nil {
		return nil, err // not s: a nil store in an interface is no nil
	}
	return s, nil
}

// floor is the free space as the stores of SQLite have it.
func (p Place) floor() int64 {
	if p.Floor == 0 {
		return -1 // none
	}
	return p.Floor
}

// OpenReadOnly opens the log for one who only reads it, beside the daemon or without one.
func (p Place) OpenReadOnly(ctx context.Context) (Store, error) {
	if p.Shared() {
		return p.openESDB(ctx, true)
	}
	s, err := sqlite.OpenReadOnly(p.Path())
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Create makes the log, which must not be there, and what the requests beside it need.
func (p Place) Create(ctx context.Context) error {
	if err := p.createLog(ctx); err != nil {
		return err
	}
	return p.createRequests(ctx)
}

func (p Place) createLog(ctx context.Context) error {
	if p.Shared() {
		conn, err := p.connection()
		if err != nil {
			return err
		}
		return eventstoredb.Create(ctx, conn, p.options())
	}
	if err := os.MkdirAll(filepath.Dir(p.Path()), 0o700); err != nil {
		return err
	}
	return sqlite.Create(p.Path())
}

// now returns the clock of the store of SQLite.
func (p Place) now() func() instant.Time {
	if p.Now != nil {
		return p.Now
	}
	return func() instant.Time { return instant.Of(time.Now()) }
}

func (p Place) openESDB(ctx context.Context, readOnly bool) (Importer, error) {
	conn, err := p.connection()
	if err != nil {
		return nil, err
	}
	o := p.options()
	o.ReadOnly = readOnly
	s, err := eventstoredb.Open(ctx, conn, o)
	if err != nil {
		return nil, err // not s: a nil store in an interface is no nil
	}
	if readOnly {
		return s, nil
	}
	advice, err := s.Advice(ctx)
	if err != nil {
		advice = "whether the stream of checkpoints has the right $maxCount is not known: " + err.Error()
	}
	if advice != "" {
		p.tell(advice)
	}
	return s, nil
}

// options say which log of the cluster it is.
func (p Place) options() eventstoredb.Options {
	return eventstoredb.Options{Namespace: p.Namespace, Log: p.tell}
}

// maxPassword is how many bytes a password has at most.
const maxPassword = 4 << 10

// connection returns the URL with the password from its file.
func (p Place) connection() (string, error) {
	if p.PasswordFile == "" {
		return p.URL, nil
	}
	scheme, rest, _ := strings.Cut(p.URL, "://")
	user, host, named := cutLast(rest, "@")
	switch {
	case !named || user == "":
		return "", fmt.Errorf("%s is set, but the store's URL names no user: want %s://USER@HOST", p.PasswordFrom, scheme)
	case strings.Contains(user, ":"):
		return "", fmt.Errorf("%s is set, and the store's URL has a password too: take it out of the URL", p.PasswordFrom)
	}
	b, err := os.ReadFile(p.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.PasswordFrom, err)
	}
	password := strings.TrimRight(string(b), "\r\n")
	if password == "" || len(password) > maxPassword {
		return "", fmt.Errorf("%s: %s holds %d bytes: want the password of %s", p.PasswordFrom, p.PasswordFile, len(password), user)
	}
	return scheme + "://" + user + url.UserPassword("", password).String() + "@" + host, nil
}

// cutLast is [strings.Cut] at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}
