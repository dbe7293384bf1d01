package master

import "golang.org/x/sys/unix"

// flowPipe is the flow control pipe that all workers share. Queue manager
// processes write a token for each message that they finish with, receiving
// processes take one for each message that they accept, and pause when there is
// none. The master only holds it open. Both ends never block: a full pipe means
// that there are tokens enough.
type flowPipe struct{ read, write int }

func newFlowPipe() (flowPipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return flowPipe{}, &osError{"flow control pipe", err}
	}
	return flowPipe{read: fds[0], write: fds[1]}, nil
}

func (f flowPipe) close() {
	unix.Close(f.read)
	unix.Close(f.write)
}
