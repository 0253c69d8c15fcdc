package config

import (
	"fmt"
	"strings"

	"sandglass/adapters/witness"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/witnessing"
)

// CosignedBy returns the witnesses that are asked to cosign what is signed of the log, and how many of them are
// enough: most of them, unless that is set. An error names the variable.
func (c *Config) CosignedBy() (named []witnessing.Named, quorum int, err error) {
	wrong := func(err error) error { return fmt.Errorf("%s_WITNESSES is %q: %w", Prefix, c.Witnesses, err) }
	var keys []*cosign.Witness
	for one := range strings.SplitSeq(c.Witnesses, ",") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		w, err := readWitness(one)
		if err != nil {
			return nil, 0, wrong(err)
		}
		named, keys = append(named, w), append(keys, w.Witness)
	}
	quorum = c.WitnessQuorum
	if quorum == 0 && len(named) > 0 {
		quorum = len(named)/2 + 1
	}
	if len(named) == 0 && quorum != 0 {
		return nil, 0, fmt.Errorf("%s_WITNESS_QUORUM is \"%d\": want the witnesses in %s_WITNESSES too", Prefix, quorum, Prefix)
	}
	if quorum < 0 || quorum > len(named) {
		return nil, 0, fmt.Errorf("%s_WITNESS_QUORUM is \"%d\": want 1 to %d, how many witnesses there are, or 0 for most of them",
			Prefix, quorum, len(named))
	}
	if _, err := cosign.NewPolicy("", quorum, keys...); err != nil {
		return nil, 0, wrong(fmt.Errorf("want each once: %w", err))
	}
	return named, quorum, nil
}

// readWitness reads the URL of a witness and its key.
func readWitness(text string) (w witnessing.Named, err error) {
	f := strings.Fields(text)
	if len(f) != 2 {
		return w, fmt.Errorf("want the URL of each witness, a space and its public key, with commas between: %.300q is not that", text)
	}
	client, err := witness.New(f[0])
	if err != nil {
		return w, err
	}
	w.Client = client
	w.Witness, err = cosign.ParseWitness(f[1])
	return w, err
}

func (c *Config) checkWitnesses() error {
	_, _, err := c.CosignedBy()
	return err
}
