// Package eventstoredb keeps the log in EventStoreDB, or KurrentDB, which speaks the same
// protocol: a [stream.EventStore] for hosts that share one log.
//
// A log is the streams under one namespace: resource-1 of the namespace shop is the stream
// shop.resource-1, whose category is shop.resource. So a cluster can hold other things
// beside it, and several logs. [Create] begins a log with an event in the stream that is
// called as the namespace; a namespace without it is an error, never an empty log.
//
// What a position is: the commit position of an event in $all. What makes an append safe
// to try again is its ids together with its exact expected revision: the server then
// answers as it did before. What is read is never a checkpoint of a subscription, since
// those have lost events: a subscription that breaks goes on after the last event that was
// handed out.
//
// The client surprises. After it has looked for a node in vain it is dead for good, and
// calls under way then hang for ever, whatever their context says; closing it while a call
// is under way panics. When it follows a node's word to another leader it closes the
// connection under the calls that are under way, and reads what gRPC writes meanwhile: a
// data race without a consequence, in a case that servers do not bring about by themselves
// (they forward to the leader). So calls are made through a [session], which waits no
// longer than it wants to, and gets a new client for an old one. A recorded event without
// its time of creation would end the process (log.Fatalf, in the client).
package eventstoredb

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sandglass/domain/codec"
	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("eventstoredb: the log is closed")

// Options say which log of a cluster is meant. The zero Options are the log "sandglass".
type Options struct {
	// Namespace begins the names of the log's streams: see [CheckNamespace]. Empty is
	// [DefaultNamespace].
	Namespace string
	// Log, if not nil, is told in a sentence when the cluster goes away and comes back.
	Log func(string)

	timeout  time.Duration // 0 means callTimeout; tests are less patient
	inFlight int           // 0 means inFlight
	discover int           // 0 means forEver
}

// DefaultNamespace is the log of those who have only one.
const DefaultNamespace = "sandglass"

// Store is an open log. Its methods may be called at the same time.
type Store struct {
	config    *esdb.Configuration
	namespace string
	id        string
	floor     stream.Position // of the event that begins the log: before it there is none
	log       func(string)
	timeout   time.Duration
	inFlight  int
	said      atomic.Pointer[string] // the last complaint of a client that looks for a node

	ctx   context.Context // ends with Close
	close context.CancelCauseFunc

	mu      sync.Mutex // guards session and next
	session *session   // nil until one is asked for
	next    time.Time  // when another session may begin

	known   atomic.Uint64           // the highest position at which an event of the log was seen
	seen    atomic.Uint64           // as far as here, events of the log after known are none
	down    atomic.Pointer[failure] // nil while all goes well
	opened  atomic.Bool             // id is known, so that a failure is looked after
	looking sync.WaitGroup
}

// Create begins an empty log. It refuses a namespace that has one.
func Create(ctx context.Context, conn string, o Options) error {
	s, err := connect(conn, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("eventstoredb: drawing an id: %w", err)
	}
	_, err = s.append(ctx, s.namespace, stream.NoStream, beginning(id))
	if errors.Is(err, stream.ErrWrongRevision) {
		return fmt.Errorf("eventstoredb: %s: the namespace %q holds a log already: leave it, or choose another namespace",
			Redact(conn), s.namespace)
	}
	return err
}

// Open opens the log at a connection string, as in esdb://user:password@host:2113?tls=true
// or esdb://a:2113,b:2113,c:2113. It fails if no node answers in time, and if there is no
// log.
func Open(ctx context.Context, conn string, o Options) (*Store, error) {
	s, err := connect(conn, o)
	if err != nil {
		return nil, err
	}
	if s.id, err = s.identify(ctx); err != nil {
		_ = s.Close() // the error says more
		return nil, fmt.Errorf("eventstoredb: %s: %w", Redact(conn), err)
	}
	s.opened.Store(true)
	s.down.Store(nil)
	return s, nil
}

var validNamespace = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// CheckNamespace reports whether a log can have that namespace: 1 to 40 of a-z, 0-9 and _, a
// letter first. So its streams have a category of their own, and are none of the server's.
func CheckNamespace(name string) error {
	if !validNamespace.MatchString(name) {
		return fmt.Errorf("eventstoredb: the namespace %.50q: want 1 to 40 of a-z, 0-9 and _, a letter first", name)
	}
	return nil
}

// connect makes a store that has asked nothing yet.
func connect(conn string, o Options) (*Store, error) {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if err := CheckNamespace(o.Namespace); err != nil {
		return nil, err
	}
	s := &Store{namespace: o.Namespace, log: o.Log}
	if s.log == nil {
		s.log = func(string) {}
	}
	s.timeout, s.inFlight = cmp.Or(o.timeout, callTimeout), cmp.Or(o.inFlight, inFlight)
	var err error
	if s.config, err = parse(conn); err != nil {
		return nil, err
	}
	s.config.MaxDiscoverAttempts = cmp.Or(o.discover, forEver)
	s.config.Logger = func(level esdb.LogLevel, format string, args ...any) {
		if level == esdb.LogWarn { // its errors are what calls return
			said := fmt.Sprintf(format, args...)
			s.said.Store(&said)
		}
	}
	s.ctx, s.close = context.WithCancelCause(context.Background())
	return s, nil
}

// settings are what a connection string may say behind its question mark. The client
// passes over what it does not know, such as a tls that is misspelt. maxDiscoverAttempts is
// known and passed over: see forEver.
var settings = map[string]bool{
	"tls": true, "tlsverifycert": true, "tlscafile": true, "usercertfile": true, "userkeyfile": true,
	"nodepreference": true, "gossiptimeout": true, "discoveryinterval": true, "maxdiscoverattempts": true,
	"keepaliveinterval": true, "keepalivetimeout": true, "defaultdeadline": true,
}

// errForm says what is wrong with a connection string without a part of it: where a
// password has a /, a ? or a # in it, any part may be of the password.
var errForm = errors.New("want addresses with commas between, and what a password holds beside letters and digits as in %2F")

// parse checks a connection string and returns what it says.
func parse(conn string) (config *esdb.Configuration, err error) {
	if err = checkForm(conn); err == nil {
		config, err = esdb.ParseConnectionString(conn)
	}
	if err == nil {
		err = config.Validate()
	}
	var form *url.Error
	if errors.As(err, &form) {
		err = errForm
	}
	if err != nil {
		return nil, fmt.Errorf("eventstoredb: %s is no connection string such as esdb://user@host:2113?tls=true: %w",
			Redact(conn), err)
	}
	return config, nil
}

var settingName = regexp.MustCompile(`^[A-Za-z]+$`)

// checkForm refuses what the client would pass over, log or quote.
func checkForm(conn string) error {
	place, query, _ := strings.Cut(conn, "?")
	_, place, _ = strings.Cut(place, "://")
	if _, path, _ := strings.Cut(place, "/"); path != "" {
		return errForm
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("its settings can't be read")
	}
	for key := range values {
		switch {
		case settings[strings.ToLower(key)]:
		case !settingName.MatchString(key):
			return errForm
		default:
			return fmt.Errorf("unknown setting %.40q: there are tls, tlsCAFile, tlsVerifyCert, userCertFile, userKeyFile, "+
				"nodePreference, gossipTimeout, discoveryInterval, maxDiscoverAttempts, "+
				"keepAliveInterval, keepAliveTimeout, defaultDeadline", key)
		}
	}
	return nil
}

// forEver is how often a client looks for a node, whatever the connection string says. One
// that gives up leaves the calls that are under way hanging for good; one that does not
// lets go of them when a node is back.
const forEver = 1 << 30

// Redact returns a connection string without the password in it, for people. What stands
// before the last @ is taken for user and password, whatever else it holds.
func Redact(conn string) string {
	scheme, rest, ok := strings.Cut(conn, "://")
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return conn
	}
	user, _, _ := strings.Cut(rest[:at], ":")
	return scheme + "://" + user + rest[at:]
}

// Close ends the subscriptions and the calls that are under way. A client that looks for a
// node looks on until it has found one, which nothing but the end of the process ends.
func (s *Store) Close() error {
	s.mu.Lock()
	s.close(ErrClosed)
	sess := s.session
	s.session = nil
	s.mu.Unlock()
	if sess != nil {
		sess.retire()
	}
	s.looking.Wait()
	return nil
}

// ID returns the 32 hex digits that Create drew for this log: what is kept beside a log,
// such as a snapshot, bears the id of the log that it belongs to.
func (s *Store) ID() string { return s.id }

// beganType is the type of the event that begins a log. It is not part of the log.
const beganType = "log.began.v1"

// began is the event that begins a log.
type began struct{ ID string }

// Fields implements [codec.Fielder].
func (b *began) Fields(f *codec.Fields) { codec.String(f, "id", &b.ID) }

// identify reads the event that begins the log.
func (s *Store) identify(ctx context.Context) (string, error) {
	events, err := call(ctx, s, func(ctx context.Context, c *esdb.Client) ([]*esdb.RecordedEvent, error) {
		return readStream(ctx, c, s.namespace, 0, 1, left(ctx))
	})
	if err != nil {
		return "", err
	}
	if len(events) == 0 {
		return "", fmt.Errorf("there is no log in the namespace %q: `sandglass init` makes one, or another namespace is meant",
			s.namespace)
	}
	var b began
	if err := codec.Decode(events[0].Data, &b); err != nil || events[0].EventType != beganType || len(b.ID) != 32 {
		return "", fmt.Errorf("the stream %q does not begin a log of this build: a %s stands there: choose another namespace",
			s.namespace, events[0].EventType)
	}
	s.floor = stream.Position(events[0].Position.Commit)
	return b.ID, nil
}
