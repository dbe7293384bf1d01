package master

import (
	"errors"

	"golang.org/x/sys/unix"
)

// kernel is the system of a real master.
type kernel struct {
	m          *supervisor
	owner      owner
	flow       flowPipe
	env        []string // environment of workers, without the generation
	foreground bool     // workers get -d
	verbose    bool     // workers get -v
}

var _ system = (*kernel)(nil)

// descriptors are what the kernel has open for one service.
type descriptors struct {
	listeners []*watcher
	status    *statusChannel // nil while there is none
}

func (k *kernel) Listen(s *service) error {
	fds, err := openListeners(&s.definition, k.owner)
	if err != nil {
		return err
	}
	s.fds = &descriptors{}
	for i, fd := range fds {
		w, err := newWatcher(fd, s.name, func() {
			k.m.post(func() { k.m.clientWaiting(s) })
		})
		if err != nil {
			for _, fd := range fds[i+1:] {
				unix.Close(fd)
			}
			k.Unlisten(s)
			return err
		}
		s.fds.listeners = append(s.fds.listeners, w)
	}
	return nil
}

func (k *kernel) Unlisten(s *service) {
	for _, w := range s.fds.listeners {
		w.close()
	}
	s.fds.listeners = nil
}

// Watch arms the watchers. Turning a watch off takes no action: a report that
// comes nevertheless is ignored by the supervisor.
func (k *kernel) Watch(s *service, on bool) {
	if !on {
		return
	}
	for _, w := range s.fds.listeners {
		w.arm()
	}
}

func (k *kernel) ClientWaiting(s *service) bool {
	for _, w := range s.fds.listeners {
		if readable(w.fd) {
			return true
		}
	}
	return false
}

func (k *kernel) OpenStatus(s *service) error {
	var c *statusChannel
	c, err := newStatusChannel(func() {
		k.m.post(func() {
			if s.fds.status != c {
				return // replaced in the mean time
			}
			k.m.statusWaiting(s)
			if s.fds.status == c {
				c.reader.arm()
			}
		})
	})
	if err != nil {
		return err
	}
	k.CloseStatus(s)
	s.fds.status = c
	c.reader.arm()
	return nil
}

func (k *kernel) CloseStatus(s *service) {
	if s.fds.status != nil {
		s.fds.status.close()
		s.fds.status = nil
	}
}

func (k *kernel) ReadStatus(s *service) ([]byte, error) {
	if s.fds.status == nil {
		return nil, errNoStatus
	}
	return s.fds.status.read()
}

func (k *kernel) Terminate(pid int) {
	if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		k.m.log.Warnf("kill process %d: %s", pid, strerror(err))
	}
}
