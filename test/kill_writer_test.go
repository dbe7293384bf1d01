package test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
)

// killWriter is a client of proxywrite that connects again whenever its connection breaks. It writes keys of its own,
// overwrites one again and again, and deletes every third; it remembers what was acknowledged.
type killWriter struct {
	pf          *postfixtest.Instance
	table, name string

	acked   map[string]string // key to the value that was acknowledged last; "" when the deletion was
	pending struct{ key, value string }
	count   atomic.Int64 // acknowledged requests
	wire    *wire
}

// run writes until stop is closed. It returns an error when the service refuses a request or stays away.
func (w *killWriter) run(stop <-chan struct{}) error {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		key := fmt.Sprintf("%s-%d", w.name, n)
		if n%2 == 0 {
			key = w.name
		}
		if err := w.do(key, fmt.Sprintf("value-%d", n)); err != nil {
			return err
		}
		if n%6 == 5 {
			if err := w.do(key, ""); err != nil {
				return err
			}
		}
	}
}

// do sends an update, or a deletion when the value is empty. When the connection breaks before the answer, nobody knows
// whether it happened; then it tries again, as clients do, so that it ends up acknowledged.
func (w *killWriter) do(key, value string) error {
	w.pending.key, w.pending.value = key, value
	request := []string{"request", "update", "table", w.table, "flags", "64", "key", key, "value", value}
	if value == "" {
		request = []string{"request", "delete", "table", w.table, "flags", "64", "key", key}
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if w.wire == nil {
			if w.connect() != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
		}
		reply, err := w.wire.tryAsk(request...)
		if err != nil {
			w.wire.conn.Close()
			w.wire = nil
			continue
		}
		switch status := reply["status"]; {
		case status == "0", status == "1" && value == "": // deleted, or deleted by the try that was cut off
			w.acked[key] = value
			w.pending.key = ""
			w.count.Add(1)
			return nil
		case status != "2": // the table may be locked for a moment by a process that is going away
			return fmt.Errorf("%q: %q", request, reply)
		}
	}
	return fmt.Errorf("%q: no answer", request)
}

func (w *killWriter) connect() error {
	conn, err := net.Dial("unix", filepath.Join(w.pf.Queue, "private", "proxywrite"))
	if err != nil {
		return err
	}
	wire := &wire{conn: conn, in: bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := wire.tryRead(); err != nil {
		conn.Close()
		return err
	}
	w.wire = wire
	return nil
}

// waitProgress waits until the writer has had more requests acknowledged.
func (w *killWriter) waitProgress(t *testing.T, more int) {
	t.Helper()
	want := w.count.Load() + int64(more)
	for deadline := time.Now().Add(40 * time.Second); w.count.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s makes no progress at %d", w.name, w.count.Load())
		}
	}
}

// check compares what is in the table with what was acknowledged. A request that was still unanswered at the end may
// have happened or not.
func (w *killWriter) check(t *testing.T, found map[string]string) {
	t.Helper()
	for key, want := range w.acked {
		got := found[key]
		if got != want && !(key == w.pending.key && got == w.pending.value) {
			t.Errorf("%s is %q, acknowledged was %q", key, got, want)
		}
	}
	if len(w.acked) < killRounds {
		t.Errorf("%s had only %d keys", w.name, len(w.acked))
	}
}
