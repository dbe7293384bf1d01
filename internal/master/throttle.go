package master

// startThrottle suspends the starting of workers for service_throttle_time:
// the command is defective, its configuration is wrong, or the system is out of
// some resource, and trying again at once would only use up more of it.
func (m *supervisor) startThrottle(s *service) {
	if s.throttle != nil || s.removed {
		return
	}
	m.log.Debugf("throttling command %s", s.path)
	s.throttle = m.after(s.throttleDelay, func() { m.endThrottle(s) })
	m.updateListening(s)
}

// endThrottle allows workers again.
func (m *supervisor) endThrottle(s *service) {
	s.throttle.stop()
	s.throttle = nil
	m.log.Debugf("throttle released for command %s", s.path)
	m.updateListening(s)
}
