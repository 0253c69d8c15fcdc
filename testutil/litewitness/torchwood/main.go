// Torchwood verifies a receipt without a line of Sandglass: torchwood POLICY < RECEIPT. It prints the event
// that the receipt proves, in the form that ARCHITECTURE.md tells.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	form, err := verify()
	if err == nil {
		_, err = os.Stdout.Write(form)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torchwood:", err)
		os.Exit(1)
	}
}

func verify() (form []byte, err error) {
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
	if form, err = torchwood.ProofExtraData(proof); err != nil {
		return nil, err
	}
	entry := sha256.Sum256(form)
	return form, torchwood.VerifyProof(policy, tlog.RecordHash(entry[:]), proof)
}
