package maillog

import (
	"io"
	"sync"
)

// streamSink writes `name: warning: text` lines, as Postfix's tools do on standard error.
type streamSink struct {
	mu   sync.Mutex
	w    io.Writer
	name string
}

func (s *streamSink) send(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.w, s.name+": "+r.text+"\n") // there is nobody to tell
}

func (s *streamSink) close() {}
