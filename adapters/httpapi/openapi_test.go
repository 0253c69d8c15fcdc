package httpapi_test

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestTheOpenAPIDocument holds the document against the one that clients know: what has
// changed there, has changed for them.
func TestTheOpenAPIDocument(t *testing.T) {
	const golden = "testdata/openapi.json"
	got := open(t, nil).send("GET", "/openapi.json", "")
	if got.status != 200 || got.header.Get("Content-Type") != "application/openapi+json" {
		t.Fatalf("%d %s", got.status, got.header)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.body != string(want) {
		t.Errorf("the document is not %s: look at the difference after go test -update", golden)
	}
}

type document struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		Summary, OperationID string
		Security             []map[string][]string
		Responses            map[string]struct {
			Content map[string]struct{ Schema json.RawMessage }
		}
	}
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct{ Description string }
		}
	}
}

func documentOf(t *testing.T, s *shop) (d document) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.send("GET", "/openapi.json", "").body), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEveryCallIsInTheDocument looks for the paths in the source, so that a call that is
// served by another way is missed.
func TestEveryCallIsInTheDocument(t *testing.T) {
	d := documentOf(t, open(t, nil))
	if d.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %s", d.OpenAPI)
	}
	paths := literals(t, regexp.MustCompile(`^/(v1/[a-z/{}_]*[a-z}]|[a-z]+(\.json)?)?$`))
	for _, path := range paths {
		if strings.HasSuffix(path, "/{id}/") { // to which the name of a command is added
			continue
		}
		if d.Paths[path] == nil {
			t.Errorf("%s is not in the document", path)
		}
	}
	for _, want := range []string{
		"/v1/resources/{id}/pause", "/v1/resources/{id}/resume", "/v1/resources/{id}/release", "/v1/events", "/healthz", "/",
	} {
		if d.Paths[want] == nil {
			t.Errorf("%s is not in the document", want)
		}
	}
	for path, calls := range d.Paths {
		for method, c := range calls {
			if c.Summary == "" || c.OperationID == "" || len(c.Responses) < 2 {
				t.Errorf("%s %s: %+v", method, path, c)
			}
			for status, r := range c.Responses {
				if status >= "4" && path != "/readyz" && r.Content["application/problem+json"].Schema == nil {
					t.Errorf("%s %s: %s is no problem", method, path, status)
				}
			}
		}
	}
}

// literals returns the texts of the package's path fields and arguments that match.
func literals(t *testing.T, like *regexp.Regexp) (found []string) {
	t.Helper()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), n.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			kv, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			name, _ := kv.Key.(*ast.Ident)
			text, _ := kv.Value.(*ast.BasicLit)
			if name != nil && name.Name == "Path" && text != nil {
				path, _ := strconv.Unquote(text.Value)
				if like.MatchString(path) {
					found = append(found, path)
				} else {
					t.Errorf("the path %q is unlike the others", path)
				}
			}
			return true
		})
	}
	if len(found) < 15 {
		t.Errorf("only %d paths were found in the source", len(found))
	}
	return slices.Compact(found)
}

// TestEveryFieldSaysItsUnit sees to names that tell the unit, and to descriptions of
// what is no id, name or status.
func TestEveryFieldSaysItsUnit(t *testing.T) {
	d := documentOf(t, open(t, nil))
	obvious := regexp.MustCompile(`^(id|plan|name|price|warn|status|resource|payment|stream|type|version|description|` +
		`openapi|requested_at|ready|components|position)$`)
	for name, schema := range d.Components.Schemas {
		for field, p := range schema.Properties {
			if p.Description == "" && !obvious.MatchString(field) {
				t.Errorf("%s.%s has no description", name, field)
			}
			if unit := map[string]string{"_msat": "millisatoshi", "_ms": "millisecond"}; field != "min_time_ms" {
				for suffix, word := range unit {
					if strings.HasSuffix(field, suffix) && !strings.Contains(strings.ToLower(p.Description), word) {
						t.Errorf("%s.%s does not say its unit: %q", name, field, p.Description)
					}
				}
			}
		}
	}
}
