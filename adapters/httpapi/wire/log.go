package wire

import "sandglass/domain/instant"

// Log is what is signed of the daemon's log.
type Log struct {
	// How many events it has.
	Events int64 `json:"events" example:"1041"`
	// How many of them the latest checkpoint under the present name is of: left out if there is none.
	Signed int64 `json:"signed,omitzero" example:"1041"`
	// That checkpoint, a signed note of c2sp.org/tlog-checkpoint.
	Checkpoint string `json:"checkpoint,omitzero"`
	// Why nothing is signed now, left out if it is: no_key, other_key, restored, foreign, gone, witnessed, short or rewritten.
	Alarm string `json:"alarm,omitzero" example:"short"`
	// What of the log is gone or changed.
	Detail string `json:"detail,omitzero"`
	// The names under which it was signed, the present one last.
	Forks []LogFork `json:"forks" nullable:"false"`
}

// LogFork is a name under which the log was signed.
type LogFork struct {
	// Its number: /log/<fork>/ is where its checkpoint and its tiles are.
	Fork int64 `json:"fork" example:"0"`
	// What its checkpoints begin with.
	Origin string `json:"origin" example:"shop.example.org/log"`
	// The public key by which they are signed, as verifiers take it.
	VKey string `json:"vkey" example:"shop.example.org/log+0a1b2c3d+AUVSWpRfjXPEWaplw0t9L9p5O3UX1hTUgFbR2Tp2EKJY"`
	// Since when.
	Since instant.Time `json:"since" format:"date-time"`
	// How many events were there before: of the first name, those that nobody had signed.
	Before int64 `json:"events_before" example:"0"`
	// Why the one before it was left behind.
	Reason string `json:"reason,omitzero" example:"the disk broke, and the backup of Monday was restored"`
	// The last checkpoint of the one before it.
	Left string `json:"left,omitzero"`
}

// ForkRequest is the body of POST /v1/log/fork.
type ForkRequest struct {
	// Why, in words that everybody can read for ever.
	Reason string `json:"reason" minLength:"1" maxLength:"500" example:"the disk broke, and the backup of Monday was restored"`
	// The store was put back by other means than the command for it, such as a copy of a disk, which the daemon can't know.
	PutBack bool `json:"put_back,omitzero"`
}
