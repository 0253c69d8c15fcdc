// Package assets is the files that pages load. Their path has a hash of all of them, so that a browser keeps
// them for good, and has those of a newer build at once.
package assets

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

//go:embed *.css *.js *.svg
var files embed.FS

var hash = hashOf(files)

// Path returns the path of a file, from the root of the pages.
func Path(name string) string { return "/assets/" + hash + "/" + name }

// Text returns what is in a file, for a page that stands by itself.
func Text(name string) string {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(b)
}

// Handler answers for [Path], whose pattern names its parts hash and file.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("file")
		b, err := files.ReadFile(name)
		if err != nil || r.PathValue("hash") != hash {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", typeOf(name))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
	})
}

// typeOf is of the extensions that there are: the table of the machine may say otherwise.
func typeOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func hashOf(files fs.FS) string {
	h := sha256.New()
	names, _ := fs.Glob(files, "*") // in order; the pattern is one
	for _, name := range names {
		b, _ := fs.ReadFile(files, name) // which is embedded
		h.Write([]byte(name + "\x00"))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
