package proving

import (
	"fmt"
	"strings"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/notefiles"
	"sandglass/domain/proof/witnessing"
	"sandglass/domain/watch"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// backoff is how often a witness that is away is asked.
var backoff = watch.Retry{Min: time.Second, Max: 10 * time.Minute}

// collector returns what has the witnesses of the settings cosign what the signer signs.
func (p *Proving) collector() (*witnessing.Collector, error) {
	named, quorum, err := p.Config.CosignedBy()
	if err != nil {
		return nil, err
	}
	return witnessing.New(witnessing.Config{
		Signer: p.Signer, Tree: p.tree, Witnesses: named, Quorum: quorum, Copy: notefiles.NewCosigned(p.Config.StateDir), Now: p.Now,
		Retry: backoff, Told: p.heard,
		Unkept: func(err error) {
			p.line(zerolog.WarnLevel).Err(err).Msg("the cosigned checkpoint is not kept: after a restart, witnesses are asked anew")
		},
	})
}

// heard logs what is otherwise with a witness than it was.
func (p *Proving) heard(s witnessing.Status) {
	level, says := zerolog.WarnLevel, "a witness does not cosign for now: it is asked again"
	switch {
	case s.State == witnessing.Conflict:
		level, says = zerolog.ErrorLevel, "a witness contradicts the log"
	case s.State == witnessing.Cosigned && s.Forgot == "":
		level, says = zerolog.InfoLevel, "a witness cosigns"
	case s.State == witnessing.Cosigned:
		says = "a witness was set back: " + s.Forgot
	}
	line := p.line(level).Str("witness", s.Name).Str("state", string(s.State)).Int64("events", s.Size)
	if s.Detail != "" {
		line = line.Str("detail", s.Detail)
	}
	line.Msg(says)
}

// witnesses tells how it is with the witnesses, where there are any: the worst of all, and who it is.
func (p *Proving) witnesses() []wire.Component {
	all := p.Collector.Statuses()
	if len(all) == 0 {
		return nil
	}
	c := wire.Component{Name: "witnesses", Ready: true, State: string(witnessing.Cosigned)}
	worst := 0
	var advice []string
	for _, s := range all {
		bad := rank(s.State)
		if bad > worst {
			worst, c.State = bad, string(s.State)
		}
		if bad > 0 && s.Detail != "" {
			advice = append(advice, fmt.Sprintf("%s: %s", s.Name, s.Detail))
		}
		if s.Forgot != "" {
			advice = append(advice, fmt.Sprintf("%s: %s", s.Name, s.Forgot))
		}
	}
	c.Advice = strings.Join(advice, "; ")
	return []wire.Component{c}
}

// rank says how bad a state is.
func rank(s witnessing.State) int {
	switch s {
	case witnessing.Waiting:
		return 1
	case witnessing.Failing:
		return 2
	case witnessing.Refused:
		return 3
	case witnessing.Conflict:
		return 4
	}
	return 0
}

var (
	gaugeWitnesses = gauge("sandglass_log_witnesses", "Witnesses, by how it is with them.", "state")
	gaugeCosigned  = gauge("sandglass_log_cosigned_events", "Events of the latest checkpoint that enough witnesses cosigned.")
	countConflicts = gauge("sandglass_log_witness_conflicts_total", "How often a witness contradicted the log, or was set back.")
)

// collectWitnesses puts their figures.
func (p *Proving) collectWitnesses(put func(*prometheus.Desc, prometheus.ValueType, float64, ...string)) {
	by := map[witnessing.State]int{}
	conflicts := int64(0)
	for _, s := range p.Collector.Statuses() {
		by[s.State]++
		conflicts += s.Conflicts
	}
	for _, state := range witnessing.States {
		put(gaugeWitnesses, prometheus.GaugeValue, float64(by[state]), string(state))
	}
	best, _, _ := p.Collector.Best()
	put(gaugeCosigned, prometheus.GaugeValue, float64(best.Size))
	put(countConflicts, prometheus.CounterValue, float64(conflicts))
}
