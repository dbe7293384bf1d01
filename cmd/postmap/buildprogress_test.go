package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// openTerminal returns both sides of a new terminal.
func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 132}); err != nil {
		t.Fatal(err)
	}
	return master, terminal
}

// screen returns what a terminal shows after some output.
func screen(output string) string {
	var lines []string
	for line := range strings.SplitSeq(output, "\n") {
		var shown []byte
		for part := range strings.SplitSeq(line, "\r") {
			shown = append([]byte(part), shown[min(len(part), len(shown)):]...)
		}
		lines = append(lines, strings.TrimRight(string(shown), " "))
	}
	return strings.Join(lines, "\n")
}

// pipedBuild is a build from a pipe that stays open.
type pipedBuild struct {
	*exec.Cmd
	source io.WriteCloser
}

func startPiped(t *testing.T, name string, stderr io.Writer) *pipedBuild {
	t.Helper()
	p := newPlace(t)
	fifo := filepath.Join(p.dir, name)
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	b := &pipedBuild{Cmd: p.command(filepath.Join(testenv.Bin(t, "postmap"), "postmap"), "cdb:"+name)}
	b.Stderr = stderr
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	source, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.source = source
	return b
}

func (b *pipedBuild) write(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(b.source, text); err != nil {
		t.Fatal(err)
	}
}

// readUntil reads from a terminal until a text has come, after what was read before.
func readUntil(t *testing.T, master *os.File, output, text string) string {
	t.Helper()
	start := len(output)
	buf := make([]byte, 4096)
	for !strings.Contains(output[start:], text) {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatalf("%v, after %q", err, output)
		}
		output += string(buf[:n])
	}
	return output
}

// TestProgress builds with a terminal as standard error, and at the same time with
// something else, where nothing is to be seen.
func TestProgress(t *testing.T) {
	t.Parallel()
	master, terminal := openTerminal(t)
	var silent bytes.Buffer
	shown, other := startPiped(t, "t", terminal), startPiped(t, "t", &silent)
	terminal.Close()
	lines := strings.Repeat("# comment\n", 499) + "key value\n"
	shown.write(t, lines)
	other.write(t, lines)
	output := readUntil(t, master, "", "t: 500 lines")
	// A log line does not share its line. It comes when the line after the wrong one shows that this is not continued.
	const more = "no-value\nkey2 value\n"
	shown.write(t, more)
	other.write(t, more)
	output = readUntil(t, master, output, "\n")
	output = readUntil(t, master, output, "t: 502 lines")
	for _, b := range []*pipedBuild{shown, other} {
		b.source.Close()
		if err := b.Wait(); err != nil {
			t.Error(err)
		}
	}
	// What has not been read when the last writer is gone is still there.
	rest, _ := io.ReadAll(master)
	output += string(rest)
	const warning = "postmap: warning: t, line 501: expected format: key whitespace value\n"
	if got := screen(output); got != warning {
		t.Errorf("the terminal shows %q after %q", got, output)
	}
	if silent.String() != warning {
		t.Errorf("without a terminal: %q", silent.String())
	}
}
