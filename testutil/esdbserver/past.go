package esdbserver

import "sandglass/testutil/esdbserver/eventlog"

// Past returns all events in the order of the log, but those that a server writes at its start.
func (c *Cluster) Past() []eventlog.Past { return c.log.Past() }

// Replace restarts all nodes with other disks: those of an older copy, of a failover that lost what was
// acknowledged, or of somebody who changed them. No expectation is checked. Positions follow from the
// events, so that those before the first that is another are where they were.
func (c *Cluster) Replace(past []eventlog.Past) error {
	c.GoAway()
	c.calls.wait()
	c.log.Replace(past)
	length := c.log.Len()
	for _, n := range c.nodes {
		n.has.Store(length)
		n.frozen.Store(notFrozen)
	}
	c.lag.clear()
	return c.ComeBack()
}
