package maillog

import (
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// sendLimit bounds how long one record may wait for a log daemon that does not read. Without it a stopped syslogd
// would stop every client of the process.
const sendLimit = time.Second

// datagramSink sends each record as one datagram to a log daemon on this host. The connection is opened at once and
// kept, so that it outlives a chroot into a directory without the socket.
type datagramSink struct {
	mu     sync.Mutex
	path   string
	format func(record) string
	conn   *net.UnixConn
	file   *logFile // where records go while there is no daemon; nil: they are dropped
	lost   int      // records dropped since the last one that was delivered
}

func newDatagramSink(path string, format func(record) string, file *logFile) *datagramSink {
	s := &datagramSink{path: path, format: format, file: file}
	s.connect()
	return s
}

func (s *datagramSink) connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn != nil
}

// connect opens the connection if there is none. A failure is not an error: the next record tries again.
func (s *datagramSink) connect() bool {
	if s.conn == nil {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.path, Net: "unixgram"})
		if err != nil {
			return false
		}
		s.conn = conn
	}
	return true
}

func (s *datagramSink) send(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost > 0 {
		missing := record{logrus.WarnLevel, "warning: " + strconv.Itoa(s.lost) + " log records were lost before this one"}
		if !s.deliver(s.format(missing)) {
			s.lost++
			return
		}
		s.lost = 0
	}
	if !s.deliver(s.format(r)) {
		s.lost++
	}
}

// deliver tries the connection, then a new connection (the daemon may have been restarted), then the file.
func (s *datagramSink) deliver(line string) bool {
	for range 2 {
		if !s.connect() {
			break
		}
		_ = s.conn.SetWriteDeadline(time.Now().Add(sendLimit))
		_, err := s.conn.Write([]byte(line))
		if err == nil {
			return true
		}
		if e, ok := err.(net.Error); ok && e.Timeout() {
			return false
		}
		s.conn.Close()
		s.conn = nil
	}
	return s.file != nil && s.file.write(line)
}

func (s *datagramSink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	if s.file != nil {
		s.file.close()
	}
}
