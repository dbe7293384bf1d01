package master

import "errors"

// spawn starts a worker. It counts as available from the start: the client that
// it is started for is the first thing that it finds.
func (m *supervisor) spawn(s *service) {
	m.generation++
	pid, err := m.sys.Spawn(s, m.generation, s.stressed())
	if err != nil {
		m.spawnFailed(s, err)
		return
	}
	m.log.Debugf("spawn command %s; pid %d", s.path, pid)
	c := &child{pid: pid, generation: m.generation, service: s}
	s.children[pid] = c
	m.children[pid] = c
	m.moreAvailable(c)
	if s.condWake {
		s.condWake = false
		m.log.Debugf("start conditional timer for %s", s.name)
		m.startWakeups(s)
	}
}

// spawnFailed makes the service wait: the command is missing, or the system is
// out of some essential resource.
func (m *supervisor) spawnFailed(s *service, err error) {
	var exec *execError
	if errors.As(err, &exec) {
		m.log.Warn(err)
		m.log.Warnf("%s: bad command startup -- throttling", s.path)
	} else {
		m.log.Warnf("%v -- throttling", err)
	}
	m.startThrottle(s)
}
