package master

import "syscall"

// reap deals with the children that have ended.
func (m *supervisor) reap() {
	// What a worker reported before it ended comes first: whether it has
	// served a client decides what its end means.
	for _, s := range m.services {
		m.drainStatus(s)
	}
	for {
		pid, status, ok := m.sys.Reap()
		if !ok {
			return
		}
		m.childEnded(pid, status)
	}
}

// childEnded takes note of the end of a child. A worker that fails before it
// has served its first client is the symptom of a structural problem.
func (m *supervisor) childEnded(pid int, status syscall.WaitStatus) {
	c := m.children[pid]
	if c == nil {
		// Process 1 of a container inherits the orphans of all others.
		m.log.Debugf("ignoring the end of process %d, which is no worker", pid)
		return
	}
	s := c.service
	switch {
	case status.Stopped():
		m.log.Warnf("process %s pid %d stopped by signal %d", s.path, pid, status.StopSignal())
		return
	case status.Continued():
		return
	case status.Exited() && status.ExitStatus() != 0:
		m.log.Warnf("process %s pid %d exit status %d", s.path, pid, status.ExitStatus())
	case status.Signaled() && !(s.removed && status.Signal() == syscall.SIGTERM):
		m.log.Warnf("process %s pid %d killed by signal %d", s.path, pid, status.Signal())
	}
	failed := status != 0
	if failed && c.uses == 0 && s.throttle == nil && !s.removed {
		m.log.Warnf("%s: bad command startup -- throttling", s.path)
		m.startThrottle(s)
	}
	m.forget(c)
}

// forget removes the record of a child that is gone.
func (m *supervisor) forget(c *child) {
	delete(m.children, c.pid)
	delete(c.service.children, c.pid)
	if c.available {
		m.lessAvailable(c)
	} else {
		m.updateListening(c.service)
	}
}
