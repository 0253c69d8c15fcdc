package proving

import (
	"fmt"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/proof/signing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// component is what it is called in log lines and by /readyz.
const component = "log"

// told logs what a look saw that the one before did not.
func (p *Proving) told(s signing.Status) {
	switch {
	case s.Err != nil:
		p.line(zerolog.WarnLevel).Err(s.Err).Msg("the log is not signed for now: it is tried again")
	case s.Alarm != signing.None:
		p.line(zerolog.ErrorLevel).Str("alarm", string(s.Alarm)).Msg(advice(&s))
	default:
		p.line(zerolog.InfoLevel).Int64("events", s.Size).Msg("the log is what was signed")
	}
}

// Health tells whether the log is signed, and cosigned. Where it is not, the daemon takes money on: it is ready.
func (p *Proving) Health() []wire.Component {
	s := p.Signer.Status()
	c := wire.Component{Name: component, Ready: true, State: "signed"}
	switch {
	case p.keyless != nil:
		c.State, c.Advice = "failing", fmt.Sprintf("until this is mended and the daemon restarted nothing is signed: %v", p.keyless)
	case s.Alarm != signing.None:
		c.State, c.Advice = "alarm", advice(&s)
	case s.Err != nil:
		c.State, c.Advice = "failing", fmt.Sprintf("the log is not signed for now: %v", s.Err)
	case s.Note == nil:
		c.State = "unsigned"
		if !s.Key && len(s.Forks) == 0 && p.Config.Log().Shared() {
			c.Advice = "no host has signed the log yet: once all run this build, on one of them: sandglass log key --make"
		}
	default:
		p.ofTree(&c)
	}
	return append([]wire.Component{c}, p.witnesses()...)
}

// Said returns what payers are told of the log: its newest checkpoint in short, or nothing where there is none.
func (p *Proving) Said() string {
	s := p.Signer.Status()
	b, ok := s.Brief()
	if !ok {
		return ""
	}
	return b.String()
}

var (
	gaugeEvents = gauge("sandglass_log_events", "Events in the log.")
	gaugeSigned = gauge("sandglass_log_signed_events", "Events of which the latest checkpoint is.")
	gaugeFork   = gauge("sandglass_log_fork", "Number of the name under which the log is signed: how often it was forked, or more.")
	gaugeAlarm  = gauge("sandglass_log_alarm", "1 while nothing is signed for that reason: /readyz says what to do.", "alarm")
	gaugeFailed = gauge("sandglass_log_failing", "1 while what is to be signed can't be read or kept.")
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (*Proving) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		gaugeEvents, gaugeSigned, gaugeFork, gaugeAlarm, gaugeFailed, gaugeWitnesses, gaugeCosigned, countConflicts,
		countReread, countChanged, gaugeUnkept, gaugeUnread,
	} {
		c <- d
	}
}

// Collect implements [prometheus.Collector].
func (p *Proving) Collect(c chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	truth := map[bool]float64{true: 1}
	s := p.Signer.Status()
	put(gaugeEvents, float64(s.Size))
	put(gaugeSigned, float64(s.Latest.Size))
	if n := len(s.Forks); n > 0 {
		put(gaugeFork, float64(s.Forks[n-1].Number))
	}
	for _, a := range signing.Alarms {
		put(gaugeAlarm, truth[s.Alarm == a], string(a))
	}
	put(gaugeFailed, truth[s.Err != nil || p.keyless != nil])
	typed := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	p.collectTree(typed)
	p.collectWitnesses(typed)
}
