package openapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/wire"

	"github.com/danielgtaylor/huma/v2"
)

// complete gives schemas what the tags of their fields don't hold: the comments of package
// wire as descriptions, and the rules of names.
func complete(schemas map[string]*huma.Schema) error {
	comments, err := commentsOf(wire.Sources())
	if err != nil {
		return fmt.Errorf("httpapi: the comments of package wire: %w", err)
	}
	for name, schema := range schemas {
		for field, s := range schema.Properties {
			if text, ok := comments[name+"."+field]; ok {
				s.Description = text
			}
			if s.Format == formatName {
				ruleNames(s)
			}
		}
	}
	return nil
}

// formatName in the tag of a field stands for the rules of names, which would fill a line.
const formatName = "name"

func ruleNames(s *huma.Schema) {
	s.Format = ""
	s.Pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
	s.PatternDescription = "1 to 64 of a-z, 0-9 and -, no - at the ends"
	s.PrecomputeMessages() // or the pattern would not be looked at
}

// commentsOf returns the comment of each field that has one, by the name of its struct and
// its name in JSON, joined with a dot.
func commentsOf(sources fs.FS) (map[string]string, error) {
	names, err := fs.Glob(sources, "*.go")
	if err != nil {
		return nil, err
	}
	comments := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(sources, name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if t, ok := n.(*ast.TypeSpec); ok {
				addComments(comments, t)
			}
			return true
		})
	}
	return comments, nil
}

// addComments adds the comments of the fields of a struct.
func addComments(comments map[string]string, t *ast.TypeSpec) {
	s, ok := t.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		if f.Doc == nil || f.Tag == nil {
			continue
		}
		tag, _ := strconv.Unquote(f.Tag.Value) // it was parsed, so it is quoted
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		comments[t.Name.Name+"."+name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
	}
}
