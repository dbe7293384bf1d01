package master

// startWakeups sends the first wakeup of a service and has the others follow,
// unless the service has none or waits for its first worker.
func (m *supervisor) startWakeups(s *service) {
	if s.wakeup == 0 || s.condWake {
		return
	}
	m.wakeUp(s)
}

// wakeUp sends a wakeup and arranges the next. A throttled service is left in
// peace.
func (m *supervisor) wakeUp(s *service) {
	if s.throttle == nil {
		m.log.Debugf("wakeup: service %s", s.name)
		m.sys.Trigger(s)
	}
	s.wakeupTick = m.after(s.wakeup, func() { m.wakeUp(s) })
}

func (m *supervisor) stopWakeups(s *service) {
	s.wakeupTick.stop()
	s.wakeupTick = nil
}
