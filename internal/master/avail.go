package master

// updateListening decides whether the master watches the sockets of a service
// itself. It does when nobody else does, that is, when no worker is available,
// and when it may start a worker for the client that comes.
func (m *supervisor) updateListening(s *service) {
	listen := false
	switch {
	case s.removed, s.throttle != nil, s.available > 0:
	case s.mayGrow(0):
		listen = true
	default:
		m.warnBusy(s)
	}
	if listen == s.listening {
		return
	}
	s.listening = listen
	m.sys.Watch(s, listen)
}

// mayGrow says whether the process limit allows one more worker on top of those
// there are and the given number of others.
func (s *service) mayGrow(others int) bool {
	return s.maxProc == 0 || len(s.children)+others < s.maxProc
}

// clientWaiting is the event that a client waits at a socket that the master
// watches. The event can be late: in the mean time a worker may have become
// available, or have taken the client. Either way the watch has to be set again.
func (m *supervisor) clientWaiting(s *service) {
	if !s.listening {
		return
	}
	if !m.sys.ClientWaiting(s) {
		m.sys.Watch(s, true)
		return
	}
	m.noteStress(s)
	m.spawn(s)
}

// moreAvailable: a worker can take a client.
func (m *supervisor) moreAvailable(c *child) {
	c.available = true
	c.service.available++
	m.updateListening(c.service)
}

// lessAvailable: a worker that could take a client is occupied or has ended.
func (m *supervisor) lessAvailable(c *child) {
	c.available = false
	c.service.available--
	m.updateListening(c.service)
}
