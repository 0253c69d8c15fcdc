package auditor_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandglass/adapters/journal"
	"sandglass/cmd/sandglass/auditor"
	"sandglass/cmd/sandglass/cli"
	"sandglass/domain/instant"
	"sandglass/domain/pieces"
	"sandglass/domain/proof"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/verify"
	"sandglass/domain/stream"
	"sandglass/testutil/histories"
)

var logged = flag.Int64("logged", 66_000, "how many events the log has in which one is changed: 1000000 for figures")

// history yields the events of a random log.
func history(n int64) pieces.Log {
	return func(yield func(pieces.Piece, error) bool) {
		w, at := histories.New(14, 200), stream.Position(0)
		for int64(at) < n {
			var run []stream.Record
			for _, a := range w.Step() {
				for i, e := range a.Events {
					if at++; int64(at) <= n {
						run = append(run, stream.Record{
							Event: e, Stream: a.Stream, Revision: a.Expected + 1 + stream.Revision(i), Position: at,
							RecordedAt: histories.Start.Add(instant.Millis(at)),
						})
					}
				}
			}
			if !yield(pieces.Whole(run), nil) {
				return
			}
		}
	}
}

// written writes a log into a file, and says where its lines begin, and what the tree of them is.
func written(t *testing.T, path string, n int64) (starts []int64, tree proof.Tree) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var hasher proof.Hasher
	see := func(r *stream.Record) { tree.Append(hasher.Add(r)) }
	err = journal.Write(t.Context(), f, history(n), journal.Options{Format: journal.NDJSON, See: see})
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < int64(len(b)); at += int64(bytes.IndexByte(b[at:], '\n')) + 1 {
		starts = append(starts, at)
	}
	return append(starts, int64(len(b))), tree
}

// audit runs audit with arguments.
func audit(t *testing.T, args ...string) (out []byte, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := auditor.AuditCmd(&cli.Env{JSON: true, Stdin: bytes.NewReader(nil), Stdout: &stdout, Stderr: &stderr})
	cmd.SetArgs(args)
	cmd.SetOut(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(t.Context())
	return stdout.Bytes(), err
}

// TestAByteThatIsChangedIsNamed: by who has nothing but an export with its tiles, a checkpoint and a vkey.
func TestAByteThatIsChangedIsNamed(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	starts, tree := written(t, in("there.ndjson"), *logged)
	vkey := signed(t, in("friday.note"), checkpoint.Checkpoint{Origin: "shop.example.org/log", Size: tree.Size(), Root: tree.Root()})
	begun := time.Now()
	if _, err := audit(t, "export", "--format", "ndjson", "--log", in("there.ndjson"), "--out", in("log.ndjson"),
		"--tiles", in("kept")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(in("there.ndjson")); err != nil { // the verifier has nothing of it
		t.Fatal(err)
	}
	t.Logf("%d events exported with tiles in %s", *logged, time.Since(begun))
	verified := func() (r verify.Report, err error) {
		out, err := audit(t, "verify", "--log", in("log.ndjson"), "--tiles", in("kept"), "--checkpoint", in("friday.note"),
			"--key", vkey)
		if bad := json.Unmarshal(out, &r); bad != nil {
			t.Fatalf("%v, %v: %s", bad, err, out)
		}
		return r, err
	}
	begun = time.Now()
	r, err := verified()
	if err != nil || r.Covered != *logged {
		t.Fatalf("as it is: %+v, %v", r, err)
	}
	t.Logf("verified by tiles, a checkpoint and a key in %s", time.Since(begun))
	f, err := os.OpenFile(in("log.ndjson"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rng := rand.New(rand.NewPCG(uint64(*logged), 14))
	for _, i := range []int64{0, *logged - 1, rng.Int64N(*logged), rng.Int64N(*logged), rng.Int64N(*logged)} {
		where, back := change(t, f, starts[i], starts[i+1], rng)
		r, err := verified()
		if !errors.Is(err, cli.ErrDifference) || len(r.Findings) != 2 || r.Findings[0].Kind != verify.Event ||
			r.Findings[0].Index != i || r.Findings[0].Where != where || r.Findings[1].Kind != verify.Root {
			t.Errorf("event %d, %s: %v, %+v", i, where, err, r.Findings)
		}
		back()
	}
	if r, err := verified(); err != nil || r.Count != 0 {
		t.Errorf("as it was: %+v, %v", r, err)
	}
}

// change changes one digit of what an event says, and returns which event that is, and what puts the byte back.
func change(t *testing.T, f *os.File, from, to int64, rng *rand.Rand) (where string, back func()) {
	t.Helper()
	line := make([]byte, to-from)
	if _, err := f.ReadAt(line, from); err != nil {
		t.Fatal(err)
	}
	var e struct {
		Stream   string `json:"stream"`
		Revision int64  `json:"revision"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		t.Fatal(err)
	}
	var digits []int
	id, data := bytes.Index(line, []byte(`,"type":`)), bytes.Index(line, []byte(`,"data":`))
	for i, c := range line {
		if (i > data || i < id && i > id-12) && c >= '1' && c < '9' { // of data and meta, and of the end of its id
			digits = append(digits, i)
		}
	}
	at := digits[rng.IntN(len(digits))]
	put := func(c byte) {
		if _, err := f.WriteAt([]byte{c}, from+int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	was := line[at]
	put(was + 1)
	return fmt.Sprintf("%s revision %d", e.Stream, e.Revision), func() { put(was) }
}

// signed writes a checkpoint, and returns the key that signs it.
func signed(t *testing.T, path string, c checkpoint.Checkpoint) (vkey string) {
	t.Helper()
	key, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{14}))
	if err != nil {
		t.Fatal(err)
	}
	note, err := checkpoint.Sign(c, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, note, 0o600); err != nil {
		t.Fatal(err)
	}
	if vkey, err = key.VKey(c.Origin); err != nil {
		t.Fatal(err)
	}
	return vkey
}
