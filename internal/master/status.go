package master

import "errors"

var (
	errNoStatus     = errors.New("no status message")
	errStatusClosed = errors.New("status channel closed")
)

// statusBurst is how many status messages of one service are read before other
// events have their turn.
const statusBurst = 1000

// statusWaiting is the event that status messages have arrived for a service.
func (m *supervisor) statusWaiting(s *service) {
	if m.drainStatus(s) == nil {
		return
	}
	// The worker's end of the channel is shared by all workers of the service,
	// so that any of them can shut it down for all.
	m.log.Warnf("service %s(%s): a worker closed the status channel -- making a new one", s.extName, s.name)
	if err := m.restartService(s); err != nil {
		m.log.Warnf("service %s(%s): %v", s.extName, s.name, err)
	}
}

// drainStatus reads the status messages that have arrived for a service. An
// error says that the channel is useless.
func (m *supervisor) drainStatus(s *service) error {
	for range statusBurst {
		b, err := m.sys.ReadStatus(s)
		if errors.Is(err, errNoStatus) {
			return nil
		}
		if err != nil {
			return err
		}
		m.statusMessage(s, b)
	}
	return nil
}

// statusMessage takes note of what a worker says about itself. It is gossip:
// whatever does not fit is ignored. A message can come from a worker that has
// been reaped already, and can repeat what is known.
func (m *supervisor) statusMessage(s *service, b []byte) {
	msg, err := parseStatus(b)
	if err != nil {
		m.log.Warnf("service %s(%s): child (pid %d) sent %v", s.extName, s.name, msg.Pid, err)
		return
	}
	m.log.Debugf("status: pid %d gen %d avail %d", msg.Pid, msg.Generation, msg.Avail)
	c := m.children[msg.Pid]
	if c == nil {
		m.log.Debugf("status: process id not found: %d", msg.Pid)
		return
	}
	if c.generation != msg.Generation {
		m.log.Infof("ignoring status update from child pid %d generation %d", msg.Pid, msg.Generation)
		return
	}
	if c.service != s {
		m.log.Warnf("service %s(%s): ignoring status update about pid %d of service %s(%s)",
			s.extName, s.name, msg.Pid, c.service.extName, c.service.name)
		return
	}
	if c.stale {
		return
	}
	switch msg.Avail {
	case statusAvailable:
		if !c.available {
			c.uses++
			m.moreAvailable(c)
		}
	case statusTaken:
		if c.available {
			m.lessAvailable(c)
		}
	default:
		m.log.Warnf("ignoring unknown status: %d allegedly from pid: %d", msg.Avail, msg.Pid)
	}
}
