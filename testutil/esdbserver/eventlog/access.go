package eventlog

import (
	"encoding/json"
	"slices"
	"strings"
)

// Right is what somebody may do with a stream, as access control lists call it.
type Right string

// The rights to a stream, and to its metadata.
const (
	ToRead      Right = "$r"
	ToWrite     Right = "$w"
	ToDelete    Right = "$d"
	ToReadMeta  Right = "$mr"
	ToWriteMeta Right = "$mw"
)

const (
	admins         = "$admins" // who may do everything
	everybody      = "$all"
	settingsStream = "$settings"
)

// list is who has which right.
type list map[Right]names

// names are one or several, of users and of groups.
type names []string

// UnmarshalJSON implements [json.Unmarshaler].
func (n *names) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*n = names{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(n))
}

// Allows reports whether one of the names, of a user and of the user's groups, has a right to
// a stream, or to read the log, which is the stream $all: by the stream's own list, or else by
// that of $settings, or by the server's default, which leaves what begins with $ to $admins.
func (v View) Allows(stream string, right Right, of []string) bool {
	if original, meta := strings.CutPrefix(stream, MetaPrefix); meta {
		stream = original
		if right = map[Right]Right{ToRead: ToReadMeta, ToWrite: ToWriteMeta}[right]; right == "" {
			right = ToWriteMeta
		}
	}
	if slices.Contains(of, admins) {
		return true
	}
	var own struct {
		ACL list `json:"$acl"`
	}
	var byDefault struct {
		User   list `json:"$userStreamAcl"`
		System list `json:"$systemStreamAcl"`
	}
	v.last(MetaPrefix+stream, &own)
	v.last(settingsStream, &byDefault)
	who, said := own.ACL[right]
	if !said && strings.HasPrefix(stream, "$") {
		who, said = byDefault.System[right]
		if !said {
			who = names{admins}
		}
	} else if !said {
		who, said = byDefault.User[right]
		if !said {
			who = names{everybody}
		}
	}
	return slices.ContainsFunc(who, func(name string) bool { return name == everybody || slices.Contains(of, name) })
}

// last decodes the data of the last event of a stream, if there is one.
func (v View) last(name string, into any) {
	s := v.l.streams[name]
	if n := v.count(s); n > 0 {
		_ = json.Unmarshal(v.At(s.events[n-1]).Data, into) // what can't be read says nothing
	}
}
