package postmap

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// When the progress of a build is shown: not at all if it takes less than a
// second.
const (
	progressDelay  = time.Second
	progressPeriod = 300 * time.Millisecond
)

// progress shows on a terminal how far a build is, in one line that is rewritten.
type progress struct {
	out   io.Writer
	width func() int // of the terminal
	name  string     // of the source
	size  int64      // of the source in bytes, 0 if it is not known

	lines, bytes atomic.Int64 // that have been read
	writing      atomic.Bool  // all have

	done chan struct{} // closed by stop
	wait sync.WaitGroup

	mu    sync.Mutex
	shown int // length of the line on the terminal
}

// showProgress begins to show the progress of a build on standard error, if that
// is a terminal. Log lines are kept apart from it. The function that it returns
// ends that, and leaves nothing on the terminal.
func (p *program) showProgress(src *os.File, name string) (shown *progress, end func()) {
	out := os.Stderr
	if _, err := terminalWidth(out); err != nil {
		return nil, func() {}
	}
	g := newProgress(out, func() int {
		width, _ := terminalWidth(out)
		return width
	}, name)
	if info, err := src.Stat(); err == nil && info.Mode().IsRegular() {
		g.size = info.Size()
	}
	first := logrus.LevelHooks{}
	first.Add(g)
	hooks := p.log.ReplaceHooks(logrus.LevelHooks{})
	for level, rest := range hooks {
		first[level] = append(first[level], rest...)
	}
	p.log.ReplaceHooks(first)
	g.start()
	return g, func() {
		g.stop()
		p.log.ReplaceHooks(hooks)
	}
}

// terminalWidth returns the number of columns of a terminal. It is an error if the
// file is none.
func terminalWidth(f *os.File) (int, error) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, err
	}
	if size.Col == 0 { // a serial line
		return 80, nil
	}
	return int(size.Col), nil
}

func newProgress(out io.Writer, width func() int, name string) *progress {
	return &progress{out: out, width: width, name: name, done: make(chan struct{})}
}

// reader returns src and counts what is read from it. Without progress to be shown
// that is src itself.
func (g *progress) reader(src io.Reader) io.Reader {
	if g == nil {
		return src
	}
	return &countingReader{src, g}
}

type countingReader struct {
	src io.Reader
	g   *progress
}

func (r *countingReader) Read(p []byte) (n int, err error) {
	n, err = r.src.Read(p)
	r.g.lines.Add(int64(bytes.Count(p[:n], []byte{'\n'})))
	r.g.bytes.Add(int64(n))
	return n, err
}

// read says that the source has been read to its end.
func (g *progress) read() {
	if g != nil {
		g.writing.Store(true)
	}
}

func (g *progress) start() {
	g.wait.Go(func() {
		timer := time.NewTimer(progressDelay)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
				g.show(g.text())
				timer.Reset(progressPeriod)
			case <-g.done:
				return
			}
		}
	})
}

// stop removes the line.
func (g *progress) stop() {
	close(g.done)
	g.wait.Wait()
	g.show("")
}

// text returns what there is to say.
func (g *progress) text() string {
	text := fmt.Sprintf("%s: %d lines", g.name, g.lines.Load())
	if g.size > 0 {
		text += fmt.Sprintf(", %d%%", min(100, 100*g.bytes.Load()/g.size))
	}
	if g.writing.Load() {
		text += ", writing the table"
	}
	return text
}

// show replaces the line on the terminal. There is no escape sequence in it, so
// that every terminal will do.
func (g *progress) show(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	// In the last column the cursor would go to the next line.
	text = printableStart(text, g.width()-1)
	if text == "" && g.shown == 0 {
		return
	}
	line := "\r" + text + strings.Repeat(" ", max(0, g.shown-len(text)))
	if text == "" {
		line += "\r"
	}
	io.WriteString(g.out, line)
	g.shown = len(text)
}

// printableStart returns the start of a text in ASCII without control characters.
func printableStart(text string, size int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), max(size, 0))]
}

// Levels implements logrus.Hook.
func (g *progress) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements logrus.Hook: a log line takes the place of the progress.
func (g *progress) Fire(*logrus.Entry) error {
	g.show("")
	return nil
}
