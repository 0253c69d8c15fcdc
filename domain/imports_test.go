package domain_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "sandglass"

// source is a Go file by its path from the root of the module.
type source struct {
	path, pkg string
	imports   []string
}

func (s source) test() bool  { return strings.HasSuffix(s.path, "_test.go") }
func (s source) dir() string { return path.Dir(s.path) }

// TestImportsPointInward holds the rule of ARCHITECTURE.md: domain imports the standard library
// and itself; projections may import domain; an adapter, both, but never another adapter; what is a client of
// the API, the client and its JSON; cmd, all; only tests import testutil.
func TestImportsPointInward(t *testing.T) {
	sources := parse(t, "..")
	if len(sources) < 10 {
		t.Fatalf("%d files of Go were found", len(sources))
	}
	for _, s := range sources {
		if !under(s.dir(), "testutil") && slices.Contains([]string{"util", "common", "models", "types", "helpers"}, s.pkg) {
			t.Errorf("%s: no package is called %s", s.path, s.pkg)
		}
		for _, imported := range s.imports {
			if why := forbidden(s, imported); why != "" {
				t.Errorf("%s imports %s: %s", s.path, imported, why)
			}
		}
	}
}

func TestForbiddenImports(t *testing.T) {
	for _, test := range []struct {
		path, imported string
		ok             bool
	}{
		{"domain/stream/stream.go", "crypto/sha1", true},
		{"domain/stream/stream.go", module + "/domain/codec", true},
		{"domain/stream/stream.go", module + "/adapters/sqlite", false},
		{"domain/stream/stream.go", "golang.org/x/sync/errgroup", false},
		{"domain/stream/stream.go", "golang.org/x/mod/sumdb/note", false},
		{"domain/proof/checkpoint/key.go", "golang.org/x/mod/sumdb/note", true},
		{"domain/stream/stream_test.go", "pgregory.net/rapid", true},
		{"domain/stream/stream_test.go", module + "/testutil/storetest", true},
		{"projections/run.go", module + "/domain/stream", true},
		{"projections/run.go", module + "/adapters/sqlite", false},
		{"projections/run.go", module + "/testutil/storetest", false},
		{"adapters/httpapi/http.go", module + "/projections", true},
		{"adapters/httpapi/http.go", module + "/adapters/httpapi/pages", true},
		{"adapters/httpapi/http.go", module + "/adapters/sqlite", false},
		{"adapters/httpapi/http.go", module + "/cmd/sandglass", false},
		{"adapters/web/shop.go", module + "/adapters/httpapi/wire", true},
		{"adapters/web/shop.go", module + "/adapters/httpapi/client/inprocess", true},
		{"adapters/web/shop.go", module + "/adapters/httpapi", false},
		{"adapters/lnurl/pay.go", module + "/adapters/httpapi/wire", false},
		{"adapters/sqlite/store.go", module + "/adapters/httpapi/wire", false},
		{"cmd/sandglass/main.go", module + "/adapters/sqlite", true},
		{"cmd/sandglass/main.go", module + "/testutil/devnet", false},
		{"cmd/devnet/main.go", module + "/testutil/devnet", true},
		{"testutil/fakelnd/lnd.go", module + "/testutil/devnet", true},
	} {
		if why := forbidden(source{path: test.path}, test.imported); test.ok != (why == "") {
			t.Errorf("%s imports %s: %q", test.path, test.imported, why)
		}
	}
}

// forbidden says why s must not import a package, or nothing if it may.
func forbidden(s source, imported string) string {
	inner, ours := strings.CutPrefix(imported, module+"/")
	switch {
	case s.test() || under(s.dir(), "testutil"):
		return ""
	case ours && under(inner, "testutil"):
		if under(s.dir(), "cmd/devnet") {
			return ""
		}
		return "only tests import testutil"
	case under(s.dir(), "domain"):
		if ours && under(inner, "domain") || !ours && standard(imported) {
			return ""
		}
		if under(s.dir(), "domain/proof") && proofs[imported] {
			return ""
		}
		return "domain imports the standard library and itself"
	case under(s.dir(), "projections"):
		if !ours || under(inner, "domain") || under(inner, "projections") {
			return ""
		}
		return "projections import domain"
	case under(s.dir(), "adapters"):
		if !ours || under(inner, "domain") || under(inner, "projections") || under(inner, adapter(s.dir())) {
			return ""
		}
		if clients[adapter(s.dir())] && (under(inner, "adapters/httpapi/wire") || under(inner, "adapters/httpapi/client")) {
			return ""
		}
		return "an adapter imports domain and projections"
	}
	return ""
}

// proofs are the formats of transparent logs, as the Go project keeps them: pure functions, which domain/proof
// would else have to write again, and others to trust.
var proofs = map[string]bool{"golang.org/x/mod/sumdb/tlog": true, "golang.org/x/mod/sumdb/note": true}

// clients are the adapters that are clients of the API.
var clients = map[string]bool{"adapters/web": true, "adapters/l402": true}

// adapter returns the folder of the adapter that dir belongs to.
func adapter(dir string) string {
	parts := strings.Split(dir, "/")
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// standard reports whether a package is of the standard library: its path has no host.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func under(dir, root string) bool { return dir == root || strings.HasPrefix(dir, root+"/") }

// parse returns the sources of the module at root: folders with a go.mod of their own
// are other modules.
func parse(t *testing.T, root string) (sources []source) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if rel != "." && skipped(file, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		s, err := parseFile(file, filepath.ToSlash(rel))
		sources = append(sources, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

func parseFile(file, rel string) (source, error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return source{}, err
	}
	s := source{path: rel, pkg: strings.TrimSuffix(f.Name.Name, "_test")}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return s, err
		}
		s.imports = append(s.imports, imported)
	}
	return s, nil
}

// skipped reports whether a folder holds no sources of the module.
func skipped(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil || name[0] == '.' || name == "testdata" || name == "node_modules" || name == "bin"
}
