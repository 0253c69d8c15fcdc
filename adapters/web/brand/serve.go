package brand

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// The files of a brand, by their names.
const (
	logoFile   = "logo"
	accentFile = "accent.css"
)

// Path returns the path of a file of the brand, logo or accent.css, from the root of the pages; "" where there
// is none. It has a hash of what the file holds, so that browsers keep it for good.
func (b *Brand) Path(name string) string {
	_, _, hash := b.file(name)
	if hash == "" {
		return ""
	}
	return "/brand/" + hash + "/" + name
}

func (b *Brand) file(name string) (data []byte, kind, hash string) {
	switch {
	case name == logoFile && b.Logo != nil:
		return b.Logo.Data, b.Logo.Type, b.Logo.hash
	case name == accentFile && b.Accent != nil:
		css := []byte(b.CSS())
		return css, "text/css; charset=utf-8", hashOf(css)
	}
	return nil, "", ""
}

func hashOf(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:8])
}

// Handler answers for [Brand.Path], whose pattern names its parts hash and file. A picture that is opened by
// itself runs no script.
func (b *Brand) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, kind, hash := b.file(r.PathValue("file"))
		if hash == "" || r.PathValue("hash") != hash {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
}
