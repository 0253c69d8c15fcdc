package logfile

import (
	"fmt"
	"sync"
	"sync/atomic"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TypesMax bounds the numbers of types, which count from 1.
const TypesMax = 1 << 16

// Types are the types of events, which the log stores as small numbers. They are only
// added to, and only by the writer. A record costs no lock and no copy of its type.
type Types struct {
	names atomic.Pointer[[]string] // by number
	mu    sync.Mutex               // guards ids, and the changes of names
	ids   map[string]int64
}

// name returns the name of a number, "" if it has none that is known.
func (t *Types) name(id int64) string {
	names := t.names.Load()
	if names == nil || id < 0 || id >= int64(len(*names)) {
		return ""
	}
	return (*names)[id]
}

// ID returns the number of a name, if it is known.
func (t *Types) ID(name string) (int64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id, ok := t.ids[name]
	return id, ok
}

// Add adds a type of the file. Only a number that is out of bounds is an error.
func (t *Types) Add(id int64, name string) error {
	if id < 1 || id > TypesMax {
		return fmt.Errorf("sqlite: the type %s has the number %d: restore a backup", name, id)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ids == nil {
		t.ids = map[string]int64{}
	}
	if t.ids[name] == id {
		return nil
	}
	var names []string
	if old := t.names.Load(); old != nil {
		names = *old
	}
	names = append(make([]string, 0, max(int64(len(names)), id+1)), names...)
	names = names[:cap(names)]
	names[id], t.ids[name] = name, id
	t.names.Store(&names)
	return nil
}

// Load adds what the file holds. Outside of the writer's transactions it is committed.
func (t *Types) Load(conn *sqlite.Conn) error {
	return sqlitex.Execute(conn, `SELECT id, name FROM types`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		return t.Add(s.ColumnInt64(0), s.ColumnText(1))
	}})
}

// Resolve returns the name of a type that a row of conn's bears.
func (t *Types) Resolve(conn *sqlite.Conn, id int64) (string, error) {
	if name := t.name(id); name != "" {
		return name, nil
	}
	if err := t.Load(conn); err != nil {
		return "", err
	}
	name := t.name(id)
	if name == "" {
		return "", fmt.Errorf("sqlite: an event is of type %d, which the log does not name: restore a backup", id)
	}
	return name, nil
}
