package verify_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/eventstoredb"
	"sandglass/adapters/sqlite"
	"sandglass/domain/pieces"
	"sandglass/domain/proof"
	"sandglass/domain/proof/verify"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/esdbserver/eventlog"

	sqlitefile "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// disk is a store of one kind whose disk somebody else has: it returns the store that serves these records, be
// they what no store would take, and what closes it.
type disk func(t *testing.T, recs []stream.Record) (s stream.EventStore, end func())

// disks are of both kinds.
func disks(t *testing.T) map[string]disk {
	return map[string]disk{"a file": file(t), "a cluster": cluster(t)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file is a disk with the file of a log.
func file(t *testing.T) disk {
	path := filepath.Join(t.TempDir(), "log")
	must(t, sqlite.Create(path))
	empty, err := os.ReadFile(path)
	must(t, err)
	return func(t *testing.T, recs []stream.Record) (stream.EventStore, func()) {
		must(t, os.WriteFile(path, empty, 0o600))
		must(t, write(path, recs))
		s, err := sqlite.OpenReadOnly(path)
		must(t, err)
		return s, func() { must(t, s.Close()) }
	}
}

// write writes records into the file of an empty log.
func write(path string, recs []stream.Record) (err error) {
	conn, err := sqlitefile.OpenConn(path, sqlitefile.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := sqlitex.ExecuteTransient(conn, `PRAGMA synchronous = OFF`, nil); err != nil {
		return err
	}
	defer sqlitex.Save(conn)(&err)
	types := map[string]int{}
	for i := range recs {
		r := &recs[i]
		if types[r.Type] == 0 {
			types[r.Type] = len(types) + 1
			err := sqlitex.Execute(conn, `INSERT INTO types VALUES (?, ?)`, &sqlitex.ExecOptions{Args: []any{types[r.Type], r.Type}})
			if err != nil {
				return err
			}
		}
		row := []any{
			int64(r.Position), r.Stream, int64(r.Revision), types[r.Type], int64(r.At), int64(r.RecordedAt),
			r.ID[:], r.Data, string(r.Meta),
		}
		const insert = `INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS BLOB))`
		err := sqlitex.Execute(conn, insert, &sqlitex.ExecOptions{Args: row})
		if err != nil {
			return err
		}
	}
	return nil
}

// cluster is the disks of one.
func cluster(t *testing.T) disk {
	c := esdbserver.New(t, esdbserver.Options{})
	must(t, eventstoredb.Create(t.Context(), c.ConnectionString(), eventstoredb.Options{}))
	empty := c.Past()
	return func(t *testing.T, recs []stream.Record) (stream.EventStore, func()) {
		past := empty[:len(empty):len(empty)]
		for i := range recs {
			past = append(past, pastOf(&recs[i]))
		}
		must(t, c.Replace(past))
		s, err := eventstoredb.Open(t.Context(), c.ConnectionString(), eventstoredb.Options{ReadOnly: true})
		must(t, err)
		return s, func() { must(t, s.Close()) }
	}
}

// pastOf returns a record as a cluster keeps it: every second as the daemon wrote it, by the server's clock, the
// others as they were copied from another log.
func pastOf(r *stream.Record) eventlog.Past {
	recorded := ""
	if r.Position%2 == 0 {
		recorded = `,"recorded_at":"` + r.RecordedAt.String() + `"`
	}
	meta := `{"at":"` + r.At.String() + `"` + recorded
	switch {
	case len(r.Meta) == 0:
		meta += `}`
	case json.Valid(r.Meta) && strings.HasPrefix(string(r.Meta), `{"`):
		meta += `,` + string(r.Meta[1:])
	default:
		meta += `,"bytes":"` + base64.StdEncoding.EncodeToString(r.Meta) + `"}`
	}
	kind := eventlog.KindKey{Name: r.Type, ContentType: eventlog.ContentBytes}
	return eventlog.Past{
		Stream: eventstoredb.DefaultNamespace + "." + r.Stream, Number: int64(r.Revision), Created: int64(r.RecordedAt) * 10_000,
		Proposal: eventlog.Proposal{ID: eventlog.ID(r.ID), Kind: kind, Data: r.Data, Meta: []byte(meta)},
	}
}

// TestEachChangeOnADisk: whatever is changed where a log is kept is found and named, by the checkpoint and the
// tiles that somebody has of it; every one of them is really there to be read.
func TestEachChangeOnADisk(t *testing.T) {
	const n = 300
	whole := history(4, n)
	leaves := leavesOf(whole)
	for name, disk := range disks(t) {
		for _, kind := range changes {
			t.Run(name+"/"+kind.name, func(t *testing.T) {
				for seed := range uint64(*times) {
					rng := rand.New(rand.NewPCG(seed, 9))
					recs, first := kind.do(rng, append([]stream.Record(nil), whole...))
					s, end := disk(t, recs)
					r := verified(t, s, &verify.Log{Checkpoints: []verify.Expected{leaves.at(n)}, Tiles: leaves})
					end()
					if r.Events != int64(len(recs)) || !named(&r, recs, first) || r.Covered > 0 {
						t.Errorf("seed %d: of event %d it tells %+v", seed, first, r)
					}
				}
			})
		}
	}
}

// TestNoFalseAlarmOnADisk: what was not changed is the log that it was, in whichever store.
func TestNoFalseAlarmOnADisk(t *testing.T) {
	for name, disk := range disks(t) {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(*times) {
				recs := history(seed, 1+rand.New(rand.NewPCG(seed, 10)).IntN(600))
				leaves := leavesOf(recs)
				s, end := disk(t, recs)
				r := verified(t, s, &verify.Log{
					Checkpoints: []verify.Expected{leaves.at(len(recs) / 2), leaves.at(len(recs))}, Tiles: leaves, Blocks: leaves.blocks(),
				})
				end()
				if r.Count != 0 || r.Events != int64(len(recs)) || r.Covered != r.Events {
					t.Fatalf("seed %d: of %d events it tells %+v", seed, len(recs), r)
				}
			}
		})
	}
}

// TestADamagedEventOfAClusterIsNamed: metadata that are none any more end the reading, and say of which event.
func TestADamagedEventOfAClusterIsNamed(t *testing.T) {
	recs := history(4, 20)
	c := esdbserver.New(t, esdbserver.Options{})
	must(t, eventstoredb.Create(t.Context(), c.ConnectionString(), eventstoredb.Options{}))
	past := c.Past()
	for i := range recs {
		past = append(past, pastOf(&recs[i]))
	}
	for seed := range uint64(*times) {
		rng := rand.New(rand.NewPCG(seed, 11))
		i := rng.IntN(len(recs))
		damaged := append([]eventlog.Past(nil), past...)
		p := &damaged[len(past)-len(recs)+i]
		p.Meta = append([]byte(nil), p.Meta...)
		p.Meta[rng.IntN(len(`{"at":"`))]++
		must(t, c.Replace(damaged))
		s, err := eventstoredb.Open(t.Context(), c.ConnectionString(), eventstoredb.Options{ReadOnly: true})
		must(t, err)
		head, err := s.Head(t.Context())
		must(t, err)
		_, err = (&verify.Log{}).Run(t.Context(), pieces.Of(t.Context(), s, head))
		if want := fmt.Sprintf("%s %d", recs[i].Stream, recs[i].Revision); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("seed %d: it tells %v, want %s", seed, err, want)
		}
		must(t, s.Close())
	}
}

// lie is a kind of thing that a log is held against, of which the leaves of a longer log are known, and what
// that comes to.
type lie struct {
	name string
	tell func(rng *rand.Rand, leaves kept, n int) verify.Log
	want []verify.Kind
}

// flipped returns a checkpoint with another root.
func flipped(rng *rand.Rand, c verify.Expected) verify.Expected {
	copy(c.Root[:], flip(rng, c.Root[:]))
	return c
}

var lies = []lie{
	{"swapped leaves in the tiles", func(rng *rand.Rand, leaves kept, n int) verify.Log {
		tiles := slices.Clone(leaves[:n])
		i := rng.IntN(n - 1)
		j := i + 1 + rng.IntN(n-i-1)
		tiles[i], tiles[j] = tiles[j], tiles[i]
		return verify.Log{Checkpoints: []verify.Expected{leaves.at(n)}, Tiles: tiles}
	}, []verify.Kind{verify.Tile}},
	{"swapped tiles", func(rng *rand.Rand, leaves kept, n int) verify.Log {
		tiles := slices.Clone(leaves[:n])
		order := rng.Perm(3)
		i, j := order[0]*proof.Width, order[1]*proof.Width
		copy(tiles[i:], leaves[j:j+proof.Width])
		copy(tiles[j:], leaves[i:i+proof.Width])
		return verify.Log{Checkpoints: []verify.Expected{leaves.at(n)}, Tiles: tiles}
	}, []verify.Kind{verify.Tile}},
	{"an old checkpoint", func(rng *rand.Rand, leaves kept, n int) verify.Log {
		return verify.Log{Checkpoints: []verify.Expected{leaves.at(rng.IntN(n))}}
	}, nil},
	{"a checkpoint with another root", func(rng *rand.Rand, leaves kept, n int) verify.Log {
		return verify.Log{Checkpoints: []verify.Expected{flipped(rng, leaves.at(1+rng.IntN(n)))}}
	}, []verify.Kind{verify.Root}},
	{"two roots for one size", func(rng *rand.Rand, leaves kept, n int) verify.Log {
		c := leaves.at(1 + rng.IntN(n))
		both := []verify.Expected{c, flipped(rng, c)}
		rng.Shuffle(2, func(i, j int) { both[i], both[j] = both[j], both[i] })
		return verify.Log{Checkpoints: both}
	}, []verify.Kind{verify.Fork, verify.Root}},
	{"a store that was rolled back", func(rng *rand.Rand, leaves kept, n int) verify.Log {
		return verify.Log{Checkpoints: []verify.Expected{leaves.at(n + 1 + rng.IntN(len(leaves)-n))}, Tiles: leaves}
	}, []verify.Kind{verify.Cut}},
}

// TestEachLieAboutALog: what does not go with a log that was not changed is found, in whichever store.
func TestEachLieAboutALog(t *testing.T) {
	const n = 3*proof.Width + 50
	recs := history(6, n+300)
	leaves := leavesOf(recs)
	for name, disk := range disks(t) {
		s, end := disk(t, recs[:n])
		for _, lie := range lies {
			t.Run(name+"/"+lie.name, func(t *testing.T) {
				for seed := range uint64(*times) {
					l := lie.tell(rand.New(rand.NewPCG(seed, 12)), leaves, n)
					r := verified(t, s, &l)
					if got := kinds(&r); !slices.Equal(got, lie.want) {
						t.Fatalf("seed %d: it finds %v, want %v: %+v", seed, got, lie.want, r)
					}
				}
			})
		}
		end()
	}
}
