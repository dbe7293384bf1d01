package service

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Descriptors that the master hands to a worker (Postfix src/master/master_proto.h).
const (
	flowReadFD  = 3
	flowWriteFD = 4
	statusFD    = 5
	listenFD    = 6
)

// generationEnv is the environment variable with the number that makes a process ID unique, in octal.
const generationEnv = "GENERATION"

// What a worker says about itself.
const (
	statusTaken     = 0 // no use sending clients: somebody else has to take them
	statusAvailable = 1 // can take clients
)

// master is the worker's end of the status channel.
type master struct {
	fd         int
	pid        int
	generation uint32
}

// newMaster checks the status channel and takes the generation from the environment.
func newMaster() (*master, error) {
	m := &master{fd: statusFD, pid: os.Getpid()}
	if text := os.Getenv(generationEnv); text != "" {
		generation, err := strconv.ParseUint(text, 8, 32)
		if err != nil || strings.HasPrefix(text, "+") {
			return nil, fmt.Errorf("bad generation: %s", text)
		}
		m.generation = uint32(generation)
	}
	var st unix.Stat_t
	if err := unix.Fstat(m.fd, &st); err != nil {
		return nil, fmt.Errorf("descriptor %d, the status channel to master(8): %w", m.fd, err)
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFIFO && kind != unix.S_IFSOCK {
		return nil, fmt.Errorf("descriptor %d is not a status channel to master(8)", m.fd)
	}
	return m, nil
}

// notify sends one status message. A message has to be one write: the channel is shared by all workers of the service.
func (m *master) notify(status uint32) error {
	var message [12]byte
	binary.NativeEndian.PutUint32(message[0:], uint32(m.pid))
	binary.NativeEndian.PutUint32(message[4:], m.generation)
	binary.NativeEndian.PutUint32(message[8:], status)
	for {
		n, err := unix.Write(m.fd, message[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("send status %d to master: %w", status, err)
		case n != len(message):
			return fmt.Errorf("send status %d to master: %d of %d bytes written", status, n, len(message))
		default:
			return nil
		}
	}
}

// gone returns when the master has closed its end. The master never sends anything. Polling takes a thread, but leaves
// the channel's flags alone, which are shared with all other workers.
func (m *master) gone() {
	fds := []unix.PollFd{{Fd: int32(m.fd), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(fds, -1); n > 0 || (err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN)) {
			return
		}
	}
}
