package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sandglass/adapters/eventstoredb"
	"sandglass/adapters/sqlite"
	"sandglass/domain/stream"
)

// logStore is an event store as the daemon uses it, and the tools.
type logStore interface {
	stream.EventStore
	ID() string      // of the log, which what is kept beside it bears
	Writable() error // says why appends are refused now
	Close() error
}

// importer takes the records of another log.
type importer interface {
	logStore
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

// storePlace says where a log is, and with which words to ask for it.
type storePlace struct {
	url          string
	dir          string // that a relative path of sqlite: is in; empty for the working folder
	passwordFile string // of the user whom an esdb:// URL names; may be empty
	passwordFrom string // what named that file
	namespace    string // prefix of the log's streams in a cluster
	floor        int64  // bytes of the disk that stay free, 0 for none
	log          func(string)
}

// place returns where a log is that a flag names, by the settings of the environment.
func (c *Config) place(url string) storePlace {
	return storePlace{
		url: url, passwordFile: c.StorePasswordFile, passwordFrom: prefix + "_STORE_PASSWORD_FILE",
		namespace: c.StoreNamespace, floor: c.FreeSpaceFloor, log: func(string) {},
	}
}

// scheme returns what leads the URL.
func (p storePlace) scheme() string {
	scheme, _, _ := strings.Cut(p.url, ":")
	return scheme
}

// path returns the file of an embedded store.
func (p storePlace) path() string {
	path := strings.TrimPrefix(p.url, sqliteScheme+":")
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.dir, path)
}

// String shows the place without its secrets.
func (p storePlace) String() string {
	if p.scheme() == sqliteScheme {
		return p.path()
	}
	return eventstoredb.Redact(p.url) + " " + p.namespace
}

// check says what is wrong with the URL, in the words that follow "want".
func (p storePlace) check() string {
	scheme, rest, _ := strings.Cut(p.url, ":")
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

// open opens the log for the one who writes it.
func (p storePlace) open(ctx context.Context) (importer, error) {
	if p.scheme() != sqliteScheme {
		return p.openESDB(ctx)
	}
	floor := p.floor
	if floor == 0 {
		floor = -1 // none
	}
	s, err := sqlite.Open(p.path(), sqlite.Options{Now: now, FreeSpaceFloor: floor})
	if err != nil {
		return nil, err // not s: a nil store in an interface is no nil
	}
	return s, nil
}

// openReadOnly opens the log for one who only reads it, beside the daemon or without one.
func (p storePlace) openReadOnly(ctx context.Context) (logStore, error) {
	if p.scheme() != sqliteScheme {
		return p.openESDB(ctx)
	}
	s, err := sqlite.OpenReadOnly(p.path())
	if err != nil {
		return nil, err
	}
	return s, nil
}

// create makes the log, which must not be there.
func (p storePlace) create(ctx context.Context) error {
	if p.scheme() != sqliteScheme {
		conn, err := p.connection()
		if err != nil {
			return err
		}
		return eventstoredb.Create(ctx, conn, p.options())
	}
	if err := os.MkdirAll(filepath.Dir(p.path()), 0o700); err != nil {
		return err
	}
	return sqlite.Create(p.path())
}

func (p storePlace) openESDB(ctx context.Context) (importer, error) {
	conn, err := p.connection()
	if err != nil {
		return nil, err
	}
	s, err := eventstoredb.Open(ctx, conn, p.options())
	if err != nil {
		return nil, err
	}
	return s, nil
}

// options say which log of the cluster it is.
func (p storePlace) options() eventstoredb.Options {
	return eventstoredb.Options{Namespace: p.namespace, Log: p.log}
}

// connection returns the URL with the password from its file.
func (p storePlace) connection() (string, error) {
	if p.passwordFile == "" {
		return p.url, nil
	}
	scheme, rest, _ := strings.Cut(p.url, "://")
	user, host, named := cutLast(rest, "@")
	switch {
	case !named || user == "":
		return "", fmt.Errorf("%s is set, but the store's URL names no user: want %s://USER@HOST", p.passwordFrom, scheme)
	case strings.Contains(user, ":"):
		return "", fmt.Errorf("%s is set, and the store's URL has a password too: take it out of the URL", p.passwordFrom)
	}
	b, err := os.ReadFile(p.passwordFile)
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.passwordFrom, err)
	}
	password := strings.TrimRight(string(b), "\r\n")
	if password == "" || len(password) > maxTokenFile {
		return "", fmt.Errorf("%s: %s holds %d bytes: want the password of %s", p.passwordFrom, p.passwordFile, len(password), user)
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
