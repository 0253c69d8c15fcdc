package esdbserver_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"sandglass/testutil/esdbserver"
)

// What a user may do is in the metadata of streams and in $settings, as on the real server:
// by default all may write and delete streams, and only administrators read the log.
func TestRights(t *testing.T) {
	users := map[string]string{esdbserver.Admin: "changeit", "sandglass": "s", "auditor": "a", "other": "o"}
	c := esdbserver.New(t, esdbserver.Options{TLS: true, Users: users})
	clients := map[string]*esdb.Client{}
	for name := range users {
		clients[name] = connect(t, c.ConnectionStringAs(name))
	}
	what := map[string]func(*esdb.Client) error{
		"append": func(client *esdb.Client) error {
			_, err := client.AppendToStream(ctx(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, events(1)...)
			return err
		},
		"read": func(client *esdb.Client) error {
			_, err := drain(client.ReadStream(ctx(t), "s", esdb.ReadStreamOptions{}, 1))
			return err
		},
		"read $all": func(client *esdb.Client) error {
			_, err := drain(client.ReadAll(ctx(t), esdb.ReadAllOptions{}, 1))
			return err
		},
		"subscribe": func(client *esdb.Client) error {
			s, err := client.SubscribeToAll(ctx(t), esdb.SubscribeToAllOptions{})
			if err == nil {
				_ = s.Close() // it has no error to return
			}
			return err
		},
		"metadata": func(client *esdb.Client) error {
			opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
			_, err := client.SetStreamMetadata(ctx(t), "s", opts, esdb.StreamMetadata{})
			return err
		},
		"delete": func(client *esdb.Client) error {
			_, err := client.DeleteStream(ctx(t), "s", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
			return err
		},
	}
	check := func(user string, may ...string) {
		t.Helper()
		for _, name := range slices.Sorted(maps.Keys(what)) { // to delete comes before to read
			err := what[name](clients[user])
			if allowed := slices.Contains(may, name); allowed != (err == nil) || !allowed && code(err) != esdb.ErrorCodeAccessDenied {
				t.Errorf("%s by %s: %v", name, user, err)
			}
			appendAny(t, clients[esdbserver.Admin], "s")
		}
	}
	check(esdbserver.Admin, "append", "read", "read $all", "subscribe", "metadata", "delete")
	check("sandglass", "append", "read", "metadata", "delete")
	c.Grant("sandglass")
	c.Write("$$$all", "$metadata", `{"$acl":{"$r":["$admins","sandglass","auditor"]}}`)
	check("sandglass", "append", "read", "read $all", "subscribe")
	check("auditor", "read $all", "subscribe")
	check("other")
	c.Write("$$s", "$metadata", `{"$acl":{"$r":"other"}}`)
	check("other", "read")
	check("sandglass", "append", "read $all", "subscribe")
}

func appendAny(t *testing.T, client *esdb.Client, name string) {
	t.Helper()
	opts := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
	if _, err := client.AppendToStream(ctx(t), name, opts, events(1)...); err != nil {
		t.Fatal(err)
	}
}
