package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/verify"

	"golang.org/x/mod/sumdb/note"
)

const signedAt instant.Time = 1_795_000_000_000

// voucher signs checkpoints of one name, and has witnesses cosign them.
type voucher struct {
	t         *testing.T
	key       *checkpoint.Key
	vkey      string
	witnesses []note.Signer
}

func newVoucher(t *testing.T, witnesses int) *voucher {
	t.Helper()
	key, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	v := &voucher{t: t, key: key}
	if v.vkey, err = key.VKey("o"); err != nil {
		t.Fatal(err)
	}
	for i := range witnesses {
		private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize))
		s, err := cosign.Signer(fmt.Sprintf("w.example/%d", i), private, func() instant.Time { return signedAt })
		if err != nil {
			t.Fatal(err)
		}
		v.witnesses = append(v.witnesses, s)
	}
	return v
}

// policy returns the one that so many of the witnesses are to cosign.
func (v *voucher) policy(quorum int) *cosign.Policy {
	v.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "log %s\n", v.vkey)
	names := ""
	for i, w := range v.witnesses {
		fmt.Fprintf(&b, "witness %d %s\n", i, w)
		names += fmt.Sprintf(" %d", i)
	}
	fmt.Fprintf(&b, "group enough %d%s\nquorum enough\n", quorum, names)
	p, err := cosign.ParsePolicy(b.String())
	if err != nil {
		v.t.Fatal(err)
	}
	return p
}

// note returns a checkpoint that the first so many witnesses cosigned.
func (v *voucher) note(c checkpoint.Checkpoint, cosigned int) []byte {
	v.t.Helper()
	msg, err := checkpoint.Sign(c, v.key)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, w := range v.witnesses[:cosigned] {
		both, err := note.Sign(&note.Note{Text: c.String()}, w)
		if err != nil {
			v.t.Fatal(err)
		}
		_, line, _ := strings.Cut(string(both), "\n\n")
		msg = append(msg, line...)
	}
	return msg
}

func TestEnoughWitnessesOfTheCheckpointsGiven(t *testing.T) {
	recs := history(7, 300)
	k := leavesOf(recs)
	v := newVoucher(t, 3)
	point := k.at(200).Checkpoint
	trust := verify.Trust{Policy: v.policy(2)}
	for cosigned, want := range []verify.Quorum{verify.Missed, verify.Missed, verify.Reached, verify.Reached} {
		e, err := trust.Expect("a file", v.note(point, cosigned))
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, &verify.Log{Checkpoints: []verify.Expected{e}}, rand.New(rand.NewPCG(1, 2)), recs)
		if len(r.Checkpoints) != 1 {
			t.Fatalf("%+v", r)
		}
		held := r.Checkpoints[0]
		if !held.OK || held.Key != v.vkey || held.Quorum != want || len(held.Witnesses) != cosigned || r.Covered != 200 {
			t.Errorf("cosigned by %d it is %+v", cosigned, held)
		}
		if cosigned > 0 && held.Witnesses[0] != (verify.Witness{Name: "w.example/0", At: signedAt}) {
			t.Errorf("it is said of the first: %+v", held.Witnesses[0])
		}
		if want == verify.Reached && r.Count != 0 {
			t.Errorf("cosigned by %d: %+v", cosigned, r.Findings)
		}
		if want == verify.Missed && (r.Count != 1 || r.Findings[0].Kind != verify.Witnesses || r.Findings[0].Index != 199) {
			t.Errorf("cosigned by %d: %+v", cosigned, r.Findings)
		}
	}
}

func TestWhoseSignatureOfACheckpointCounts(t *testing.T) {
	v := newVoucher(t, 1)
	point := leavesOf(history(7, 300)).at(200).Checkpoint
	msg := v.note(point, 1)
	strangers, err := checkpoint.NewKey(rand.NewChaCha8([32]byte{2}))
	if err != nil {
		t.Fatal(err)
	}
	other, err := strangers.VKey("o")
	if err != nil {
		t.Fatal(err)
	}
	forged, err := checkpoint.Sign(point, strangers)
	if err != nil {
		t.Fatal(err)
	}
	policy := v.policy(1)
	for name, test := range map[string]struct {
		trust verify.Trust
		note  []byte
		key   string // that is said to have signed it
		err   error
	}{
		"anybody":                            {verify.Trust{}, forged, "", nil},
		"the key":                            {verify.Trust{Keys: []string{other, v.vkey}}, msg, v.vkey, nil},
		"another key":                        {verify.Trust{Keys: []string{other}}, msg, "", checkpoint.ErrUnsigned},
		"the key of a policy":                {verify.Trust{Policy: policy}, msg, v.vkey, nil},
		"a key beside the policy":            {verify.Trust{Policy: policy, Keys: []string{other}}, msg, v.vkey, nil},
		"a stranger's":                       {verify.Trust{Policy: policy}, forged, "", checkpoint.ErrUnsigned},
		"no checkpoint":                      {verify.Trust{Policy: policy}, []byte("x"), "", checkpoint.ErrMalformed},
		"no checkpoint, trusted from anyone": {verify.Trust{}, []byte("x"), "", checkpoint.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := test.trust.Expect("a file", test.note)
			if !errors.Is(err, test.err) || e.Key != test.key {
				t.Errorf("it is %+v, %v", e, err)
			}
			own, err := test.trust.Own(test.note)
			if !errors.Is(err, test.err) || own.Key != test.key || own.Quorum != "" {
				t.Errorf("of the store it is %+v, %v", own, err)
			}
		})
	}
	broken := bytes.Replace(msg, []byte("— w.example/0 "), []byte("— w.example/0 A"), 1)
	trust := verify.Trust{Policy: policy}
	if e, err := trust.Expect("a file", broken); err == nil {
		t.Errorf("a line that is none of the witness's: %+v", e)
	}
}
