package backup

// Before has f told of each step, before it: an error ends the step.
func (m Maker) Before(f func(step string) error) *Maker {
	m.before = f
	return &m
}
