package checkpoint

import (
	"encoding/base64"
	"regexp"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// BriefRoot is how many bytes of the root a [Brief] has: no two logs of one size have the same ones.
const BriefRoot = 24

// Brief is a checkpoint where there is little room, such as in the description of an invoice. It has no name: it may
// be of any fork of its log.
type Brief struct {
	Size int64           // events, from 1
	Root [BriefRoot]byte // the first ones of the root
}

// Brief returns c in short.
func (c Checkpoint) Brief() Brief { return Brief{c.Size, [BriefRoot]byte(c.Root[:])} }

// Full returns what is known of the checkpoint that b is of: its name is empty, and the rest of its root 0.
func (b Brief) Full() Checkpoint {
	var root tlog.Hash
	copy(root[:], b.Root[:])
	return Checkpoint{Size: b.Size, Root: root}
}

// String returns it for people to read, and for [FindBrief]: log 1234567 and the root in base64url.
func (b Brief) String() string {
	return "log " + strconv.FormatInt(b.Size, 10) + " " + base64.RawURLEncoding.EncodeToString(b.Root[:])
}

var brief = regexp.MustCompile(`\blog ([1-9][0-9]*) ([A-Za-z0-9_-]{32,})`)

// FindBrief returns the one that a text has. ok is false if there is none, or more than one.
func FindBrief(text string) (b Brief, ok bool) {
	found := brief.FindAllStringSubmatch(text, 2)
	if len(found) != 1 {
		return b, false
	}
	size, err := strconv.ParseInt(found[0][1], 10, 64)
	root, bad := base64.RawURLEncoding.DecodeString(found[0][2])
	if err != nil || bad != nil || len(root) != BriefRoot {
		return b, false
	}
	return Brief{size, [BriefRoot]byte(root)}, true
}
