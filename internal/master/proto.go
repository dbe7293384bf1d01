package master

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Descriptors that a worker inherits, as Postfix's workers expect them
// (Postfix src/master/master_proto.h). Standard input, output and error are
// those of the master.
const (
	flowReadFD  = 3 // read end of the flow control pipe
	flowWriteFD = 4 // write end of the flow control pipe
	statusFD    = 5 // status messages go here; a hang-up means that the master is gone
	listenFD    = 6 // first of one or more listening sockets
)

// generationEnv is the environment variable that tells a worker its generation,
// in octal. A worker repeats it in every status message, which is how a message
// of a former process with a recycled process ID is told from a real one.
const generationEnv = "GENERATION"

// statusSize is the size in bytes of a status message: three native ints.
const statusSize = 12

// What a worker says about itself.
const (
	statusTaken     = 0 // occupied: cannot take another client
	statusAvailable = 1 // idle, or able to take another client
)

// statusMessage is what a worker writes to statusFD, in one write.
type statusMessage struct {
	Pid        int
	Generation uint32
	Avail      int
}

var errPartialStatus = errors.New("partial status update")

// parseStatus decodes a status message. A message of any other size than
// statusSize gives errPartialStatus; the Pid of the result is then what the
// message claims, if it is long enough to claim one.
func parseStatus(b []byte) (statusMessage, error) {
	var m statusMessage
	if len(b) >= 4 {
		m.Pid = int(int32(binary.NativeEndian.Uint32(b)))
	}
	if len(b) != statusSize {
		return m, fmt.Errorf("%w (%d bytes)", errPartialStatus, len(b))
	}
	m.Generation = binary.NativeEndian.Uint32(b[4:])
	m.Avail = int(int32(binary.NativeEndian.Uint32(b[8:])))
	return m, nil
}
