// Package keepersocket is the socket by which a daemon asks the keeper of its host how a resource is
// reached: a line of JSON each way, and then the connection is over.
//
//	{"access":"web-1"}
//	{"text":"203.0.113.7\n"}  or  {"refused":"not_up"}
//
// The keeper answers the daemon's user alone, by what the kernel says of who connects. What the
// answer is, is decided in package access of the domain.
package keepersocket

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sandglass/domain/enforce/access"
	"sandglass/domain/resource"
)

// Bounds of a line, with its end.
const (
	maxRequest = 256
	maxAnswer  = 6*access.MaxText + 256 // JSON makes at most six bytes of one
)

// request asks for something of a resource.
type request struct {
	Access string `json:"access"` // its id
}

// answer has one of the two.
type answer struct {
	Text    string `json:"text,omitempty"`
	Refused string `json:"refused,omitempty"` // a code
}

// codes are the errors that cross the socket.
var codes = map[string]error{
	"none": access.ErrNone, "not_up": access.ErrNotUp, "too_soon": access.ErrTooSoon, "busy": access.ErrBusy,
	"failed": access.ErrFailed,
}

// answerOf returns what is said of what came of a request. An error of any other kind has failed.
func answerOf(text string, err error) answer {
	if err == nil {
		return answer{Text: text}
	}
	for code, known := range codes {
		if errors.Is(err, known) {
			return answer{Refused: code}
		}
	}
	return answer{Refused: "failed"}
}

// parseRequest returns the id that a line asks for.
func parseRequest(line []byte) (string, error) {
	var r request
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return "", err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("there is more on the line")
	}
	if !resource.IsName(r.Access) {
		return "", fmt.Errorf("no resource can be called %.80q", r.Access)
	}
	return r.Access, nil
}

// parseAnswer returns the text of an answer, or the error that it tells.
func parseAnswer(line []byte) (string, error) {
	var a answer
	err := json.Unmarshal(line, &a)
	switch known, ok := codes[a.Refused]; {
	case err != nil:
		return "", fmt.Errorf("the keeper's answer: %w", err)
	case ok:
		return "", known
	case a.Refused != "" || a.Text == "" || len(a.Text) > access.MaxText:
		return "", errors.New("the keeper's answer is not known to this build")
	}
	return a.Text, nil
}

// readLine reads a line of at most so many bytes, with its end.
func readLine(r io.Reader, most int) ([]byte, error) {
	line, err := bufio.NewReader(io.LimitReader(r, int64(most))).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("it broke off, or has more than %d bytes: %w", most, io.ErrUnexpectedEOF)
	}
	return line, err
}

// writeLine writes v as a line.
func writeLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
