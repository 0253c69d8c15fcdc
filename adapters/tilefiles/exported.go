package tilefiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sandglass/domain/proof"

	"golang.org/x/mod/sumdb/tlog"
)

// maxTile is how many bytes a tile has at most.
const maxTile = proof.Width * tlog.HashSize

// Path returns the path of a tile by c2sp.org/tlog-tiles, such as tile/0/x001/234.p/17 of its
// first 17 hashes.
func Path(level int, n int64, width int) string {
	path := tlog.Tile{H: proof.Height, L: level, N: n, W: width}.Path()
	return "tile/" + strings.TrimPrefix(path, fmt.Sprintf("tile/%d/", proof.Height))
}

// Exported is a folder with the tiles of a log, as c2sp.org/tlog-tiles has their paths. It
// implements what package verify takes, and [Exported.Add] writes them.
type Exported struct {
	dir  string
	tile []byte // leaves that are in no whole tile yet
	n    int64  // of that tile
}

// Export returns the folder, in which there may be nothing yet.
func Export(dir string) *Exported { return &Exported{dir: dir} }

// Leaves returns the leaves of tile n of the lowest level: of a tile that is not whole as many as
// the widest of its files has.
func (e *Exported) Leaves(n int64) ([]proof.Hash, error) {
	path := filepath.Join(e.dir, filepath.FromSlash(Path(0, n, proof.Width)))
	b, err := os.ReadFile(path)
	width := proof.Width
	if errors.Is(err, fs.ErrNotExist) {
		if width, err = widest(path + ".p"); err != nil || width == 0 {
			return nil, err
		}
		b, err = os.ReadFile(filepath.Join(path+".p", strconv.Itoa(width)))
	}
	if err != nil {
		return nil, err
	}
	if len(b) != width*tlog.HashSize {
		return nil, fmt.Errorf("%s: a tile of %d hashes has %d bytes, and this %d", path, width, width*tlog.HashSize, len(b))
	}
	leaves := make([]proof.Hash, width)
	for i := range leaves {
		leaves[i] = proof.Hash(b[i*tlog.HashSize:])
	}
	return leaves, nil
}

// widest returns the width of the widest file of a tile that is not whole, 0 if there is none.
func widest(dir string) (width int, err error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	for _, f := range files {
		if w, err := strconv.Atoi(f.Name()); err == nil && w < proof.Width {
			width = max(width, w)
		}
	}
	return width, err
}

// Add adds the leaf of the next event of the log, from the first on.
func (e *Exported) Add(leaf proof.Hash) error {
	if e.tile = append(e.tile, leaf[:]...); len(e.tile) < maxTile {
		return nil
	}
	return e.Flush()
}

// Flush writes the leaves that are in no file yet.
func (e *Exported) Flush() error {
	if len(e.tile) == 0 {
		return nil
	}
	width := len(e.tile) / tlog.HashSize
	path := filepath.Join(e.dir, filepath.FromSlash(Path(0, e.n, width)))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, e.tile, 0o644); err != nil {
		return err
	}
	if width == proof.Width {
		e.n, e.tile = e.n+1, e.tile[:0]
	}
	return nil
}
