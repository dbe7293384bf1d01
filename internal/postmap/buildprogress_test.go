package postmap

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// terminal keeps what is written to it.
type terminal struct {
	mu     sync.Mutex
	output bytes.Buffer
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.output.Write(p)
}

// take returns what was written since the last time.
func (t *terminal) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.output.Reset()
	return t.output.String()
}

func eighty() int { return 80 }

// TestProgressTime: nothing is shown in the first second, then three lines a second
// or so, and nothing is left.
func TestProgressTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out terminal
		g := newProgress(&out, eighty, "virtual")
		g.size = 40
		g.start()
		src := g.reader(strings.NewReader("a 1\nb 2\n" + strings.Repeat("#", 31) + "\n"))
		src.Read(make([]byte, 8))
		time.Sleep(999 * time.Millisecond)
		if got := out.take(); got != "" {
			t.Errorf("in the first second: %q", got)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if got := out.take(); got != "\rvirtual: 2 lines, 20%" {
			t.Errorf("after a second: %q", got)
		}
		src.Read(make([]byte, 100))
		g.read()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := out.take(); strings.Count(got, "\rvirtual: 3 lines, 100%, writing the table") != strings.Count(got, "\r") || strings.Count(got, "\r") > 40 {
			t.Errorf("in ten seconds: %q", got)
		}
		g.stop()
		if got, want := out.take(), "\r"+strings.Repeat(" ", len("virtual: 3 lines, 100%, writing the table"))+"\r"; got != want {
			t.Errorf("at the end %q, want %q", got, want)
		}
	})
}

// TestProgressShort: a build that ends soon shows nothing.
func TestProgressShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out terminal
		g := newProgress(&out, eighty, "virtual")
		g.start()
		time.Sleep(900 * time.Millisecond)
		g.stop()
		if got := out.take(); got != "" {
			t.Errorf("%q", got)
		}
	})
}

// TestProgressLine: the line fits on the terminal, is overwritten as a whole, and
// has no control characters of the name.
func TestProgressLine(t *testing.T) {
	var out terminal
	g := newProgress(&out, func() int { return 20 }, "a\x1b[2J\té/long/name/of/a/file")
	g.show(g.text())
	if got := out.take(); got != "\ra?[2J???long/name/o" && got != "\ra?[2J??/long/name/o" {
		t.Errorf("%q", got)
	}
	g.show("short")
	if got := out.take(); got != "\rshort"+strings.Repeat(" ", 14) {
		t.Errorf("%q", got)
	}
	g.show("")
	if got := out.take(); got != "\r     \r" {
		t.Errorf("%q", got)
	}
	g.show("")
	if got := out.take(); got != "" {
		t.Errorf("%q", got)
	}
}
