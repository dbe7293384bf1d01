package master

import "time"

const (
	// stressTime is how long a public service stays in stress mode after the
	// last time that it started a worker at the process limit.
	stressTime = 1000 * time.Second
	// busyWarnTime is the least time between two warnings about the limit.
	busyWarnTime = 1000 * time.Second
)

// noteStress is called when a service is about to start a worker. When that
// worker is the last one that the process limit allows, workers of a public
// service are started with stress=yes for a while, and those that were started
// without are replaced as they become idle.
func (m *supervisor) noteStress(s *service) {
	if !s.stressable || s.mayGrow(1) {
		return
	}
	now := time.Now()
	if s.stressUntil.Before(now) {
		if err := m.restartService(s); err != nil {
			m.log.Warnf("service %q (%s): %v", s.extName, s.name, err)
		}
	}
	s.stressUntil = now.Add(stressTime)
}

// stressed says whether a worker started now gets stress=yes.
func (s *service) stressed() bool {
	return s.stressable && s.stressUntil.After(time.Now())
}

// warnBusy tells the administrator that a public service is at its limit.
func (m *supervisor) warnBusy(s *service) {
	if !s.stressable {
		return
	}
	now := time.Now()
	if !s.busyWarned.IsZero() && now.Sub(s.busyWarned) <= busyWarnTime {
		return
	}
	s.busyWarned = now
	m.log.Warnf("service %q (%s) has reached its process limit \"%d\": "+
		"new clients may experience noticeable delays", s.extName, s.name, s.maxProc)
	m.log.Warn("to avoid this condition, increase the process count in master.cf " +
		"or reduce the service time per client")
	m.log.Warn("see https://www.postfix.org/STRESS_README.html for " +
		"examples of stress-adapting configuration settings")
}
