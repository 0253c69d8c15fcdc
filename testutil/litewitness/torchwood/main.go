// Torchwood verifies a receipt without a line of Sandglass: torchwood POLICY < RECEIPT. It prints each event
// that the receipt proves, in the form that ARCHITECTURE.md tells.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	forms, err := verify()
	if err == nil {
		_, err = os.Stdout.Write(forms)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torchwood:", err)
		os.Exit(1)
	}
}

func verify() (forms []byte, err error) {
	if len(os.Args) != 2 {
		return nil, errors.New("want the file of a policy, and a receipt on standard input")
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		return nil, err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return nil, err
	}
	proof, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	extra, err := torchwood.ProofExtraData(proof)
	if err != nil {
		return nil, err
	}
	n := formSize(extra)
	if err := holds(policy, extra[:n], proof); err != nil || n == len(extra) {
		return extra[:n], err
	}
	form, second, err := paid(extra[n:], proof)
	if err == nil {
		err = holds(policy, form, second)
	}
	return append(extra[:n:n], form...), err
}

// holds returns an error unless a proof is of an event of that form.
func holds(policy torchwood.Policy, form, proof []byte) error {
	entry := sha256.Sum256(form)
	return torchwood.VerifyProof(policy, tlog.RecordHash(entry[:]), proof)
}

// formSize returns how many bytes the form of an event has that others may stand behind. What has no end is all of it:
// then its hash is in no log.
func formSize(b []byte) int {
	at := len("sandglass.entry.v1\n") + 16
	// Stream, revision, type, at, recorded, data and meta.
	for _, isText := range []bool{true, false, true, false, false, true, true} {
		if len(b) < at+8 {
			return len(b)
		}
		n := binary.BigEndian.Uint64(b[at:])
		if at += 8; !isText {
			continue
		}
		if n > uint64(len(b)-at) {
			return len(b)
		}
		at += int(n)
	}
	return at
}

// paid returns the event that says how much came, of what stands behind the other, and its own proof: a file
// with the same checkpoint.
func paid(b, proof []byte) (form, file []byte, err error) {
	if len(b) < 16 || (len(b)-16)/tlog.HashSize < int(b[15]) || !bytes.Equal(b[8:15], make([]byte, 7)) {
		return nil, nil, errors.New("what stands behind the event is not another one, and its proof")
	}
	index, hashes := binary.BigEndian.Uint64(b), int(b[15])
	form = b[16+hashes*tlog.HashSize:]
	file = fmt.Appendf(nil, "c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString(form), index)
	for i := range hashes {
		h := b[16+i*tlog.HashSize:][:tlog.HashSize]
		file = append(base64.StdEncoding.AppendEncode(file, h), '\n')
	}
	return form, append(file, proof[bytes.Index(proof, []byte("\n\n"))+1:]...), nil
}
