package auditor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sandglass/adapters/tilefiles"
	"sandglass/cmd/sandglass/auditor/source"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/stream"
)

// checkpointFile is the checkpoint beside the tiles, as /log/<fork>/ has it.
const checkpointFile = "checkpoint"

// tiles are written into a folder as its log is read: what "audit verify --tiles" names an event by.
type tiles struct {
	dir    string
	out    *tilefiles.Exported
	hasher proof.Hasher
	tree   proof.Tree
	point  *checkpoint.Checkpoint // nil if the log has none
	signed proof.Hash             // the root of the log at the size of that
	err    error                  // of a tile that could not be written
}

// newTiles returns what writes into a folder, which has no tiles yet.
func newTiles(dir string) (*tiles, error) {
	for _, name := range []string{"tile", checkpointFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return nil, cli.Usage("--tiles %s: there is a %s in it already: name a folder that is empty, or not there yet", dir, name)
		}
	}
	return &tiles{dir: dir, out: tilefiles.Export(dir)}, os.MkdirAll(dir, 0o755)
}

// begin keeps the checkpoint of the log, before that is read: the log has all of it then.
func (t *tiles) begin(ctx context.Context, log *source.Growing) error {
	note, err := log.Checkpoint(ctx)
	if err != nil || note == nil {
		return err
	}
	point, err := checkpoint.Read(note)
	if err != nil {
		return err
	}
	t.point, t.signed = &point, t.tree.Root()
	return os.WriteFile(filepath.Join(t.dir, checkpointFile), note, 0o644)
}

// see adds the next event.
func (t *tiles) see(r *stream.Record) {
	leaf := proof.Leaf(t.hasher.Add(r))
	if t.tree.AppendLeaf(leaf); t.point != nil && t.tree.Size() == t.point.Size {
		t.signed = t.tree.Root()
	}
	if t.err == nil {
		t.err = t.out.Add(leaf)
	}
}

// end writes what is left, and holds the log against its checkpoint: tiles of another log would hide what was changed.
func (t *tiles) end() error {
	if err := errors.Join(t.err, t.out.Flush()); err != nil || t.point == nil {
		return err
	}
	if t.tree.Size() < t.point.Size || t.signed != t.point.Root {
		return fmt.Errorf("the log that was read, of %s, is not the one that its checkpoint of %s is of: "+
			"\"audit verify\" says what differs, by tiles of before, and not by these",
			show.Count(t.tree.Size(), "event"), show.Count(t.point.Size, "event"))
	}
	return nil
}

// said says what is in the folder.
func (t *tiles) said() string {
	text := fmt.Sprintf("%s: the tiles of %s", t.dir, show.Count(t.tree.Size(), "event"))
	if t.point == nil {
		return text + ", and no checkpoint: the log has none"
	}
	return fmt.Sprintf("%s, and the checkpoint of the first %s", text, show.Group(t.point.Size))
}
