package cluster

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

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
