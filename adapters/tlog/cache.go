package tlog

import "sync"

// most is how many whole tiles are kept: 8 KiB each, of entries a little more.
const most = 256

// cache keeps the last whole tiles that were read, which never change while the tree is the same, and reads one at a
// time for all who want it: to read one of the lowest level is to read 256 events.
type cache struct {
	mu    sync.Mutex // guards what follows
	tiles map[string]*cached
	order []string // of those, the oldest first
}

// cached is a tile that is read, or was.
type cached struct {
	done chan struct{} // closed when it was
	file file
	err  error
}

func newCache() *cache { return &cache{tiles: map[string]*cached{}} }

// get returns a tile by its tree and path. keep says that it is whole.
func (c *cache) get(path string, keep bool, read func() (file, error)) (file, error) {
	if !keep {
		return read()
	}
	c.mu.Lock()
	if t, ok := c.tiles[path]; ok {
		c.mu.Unlock()
		<-t.done
		return t.file, t.err
	}
	t := &cached{done: make(chan struct{})}
	c.tiles[path] = t
	c.order = append(c.order, path)
	if len(c.order) > most {
		delete(c.tiles, c.order[0])
		c.order = c.order[1:]
	}
	c.mu.Unlock()
	if t.file, t.err = read(); t.err != nil {
		c.forget(path, t)
	}
	close(t.done)
	return t.file, t.err
}

// forget takes away what could not be read.
func (c *cache) forget(path string, t *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tiles[path] != t {
		return
	}
	delete(c.tiles, path)
	for i := range c.order {
		if c.order[i] == path {
			c.order = append(c.order[:i:i], c.order[i+1:]...)
			return
		}
	}
}
