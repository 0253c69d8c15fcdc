package sqlite

import (
	"fmt"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// types are the types of events, which the log stores as small numbers. They are only
// added to, and only by the writer.
type types struct {
	mu    sync.RWMutex
	names map[int64]string
	ids   map[string]int64
}

func (t *types) name(id int64) (string, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	name, ok := t.names[id]
	return name, ok
}

func (t *types) id(name string) (int64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	id, ok := t.ids[name]
	return id, ok
}

func (t *types) add(id int64, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.names == nil {
		t.names, t.ids = map[int64]string{}, map[string]int64{}
	}
	t.names[id], t.ids[name] = name, id
}

// load adds what the file holds. Outside of the writer's transactions it is committed.
func (t *types) load(conn *sqlite.Conn) error {
	return sqlitex.Execute(conn, `SELECT id, name FROM types`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		t.add(s.ColumnInt64(0), s.ColumnText(1))
		return nil
	}})
}

// resolve returns the name of a type that a row of conn's bears.
func (t *types) resolve(conn *sqlite.Conn, id int64) (string, error) {
	if name, ok := t.name(id); ok {
		return name, nil
	}
	if err := t.load(conn); err != nil {
		return "", err
	}
	name, ok := t.name(id)
	if !ok {
		return "", fmt.Errorf("sqlite: an event is of type %d, which the log does not name: restore a backup", id)
	}
	return name, nil
}
