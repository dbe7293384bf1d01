package master

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spawn starts a worker with the descriptors of proto.go. It does not use
// package os/exec, which would make the listening sockets blocking, for
// everybody who shares them.
func (k *kernel) Spawn(s *service, generation uint32, stressed bool) (int, error) {
	files := []uintptr{
		0, 1, 2,
		flowReadFD:  uintptr(k.flow.read),
		flowWriteFD: uintptr(k.flow.write),
		statusFD:    uintptr(s.fds.status.worker),
	}
	for _, w := range s.fds.listeners {
		files = append(files, uintptr(w.fd)) // listenFD and up
	}
	env := append(k.env[:len(k.env):len(k.env)], fmt.Sprintf("%s=%o", generationEnv, generation))
	argv := s.argv(stressed, k.foreground, k.verbose)
	pid, err := syscall.ForkExec(s.path, argv, &syscall.ProcAttr{Env: env, Files: files})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOMEM) {
		return 0, &osError{"master_spawn: fork", err}
	}
	if err != nil {
		return 0, &execError{osError{"master_spawn: exec " + s.path, err}}
	}
	return pid, nil
}

// execError says that a command cannot be executed.
type execError struct{ osError }

func (e *execError) Unwrap() error { return e.err }

// Reap gives a child that has ended.
func (k *kernel) Reap() (pid int, status syscall.WaitStatus, ok bool) {
	for {
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		return pid, status, err == nil && pid > 0
	}
}
