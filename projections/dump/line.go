package dump

import (
	"encoding/json"
	"strconv"

	"sandglass/domain/instant"
)

// Line is a line that is being written: a flat JSON object. Each of its exported methods
// returns one, with the stream that it is about; it is valid until the next.
type Line []byte

func (l *Line) begin(stream string) {
	*l = append((*l)[:0], `{"stream":`...)
	*l = appendText(*l, stream)
}

func (l *Line) name(name string) {
	*l = append(append(append(*l, ',', '"'), name...), '"', ':')
}

func figure[T ~int64 | ~int32 | ~uint64](l *Line, name string, n T) {
	l.name(name)
	*l = strconv.AppendInt(*l, int64(n), 10)
}

func (l *Line) text(name, s string) {
	l.name(name)
	*l = appendText(*l, s)
}

func (l *Line) time(name string, t instant.Time) {
	l.name(name)
	*l = append(t.AppendText(append(*l, '"')), '"')
}

func (l *Line) bool(name string, v bool) {
	l.name(name)
	*l = strconv.AppendBool(*l, v)
}

func (l *Line) end() []byte {
	*l = append(*l, '}')
	return *l
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
