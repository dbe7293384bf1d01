package maillog

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

var variable = regexp.MustCompile(`^` + stampExpr + `|\[\d+\]`)

// Postfix's postmap and our logger are given the same text; what arrives at the postlog service and on standard error
// must be the same but for the time and the process ID.
func TestLikePostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, utf8 := range []string{"yes", "no"} {
		for _, name := range []string{"na\xc3\xafve\n\r\tb\x1b[1m\x7f\xff\xe4\xb8\xad\xe5", strings.Repeat("long", 600)} {
			syslogAt(t, "/nonexistent")
			queue, socket := queueWithSocket(t)
			file, _ := postlogParams(queue)
			settings := []string{"queue_directory", queue, "maillog_file", file, "maillog_file_prefixes", queue,
				"smtputf8_enable", utf8, "syslog_name", "mx", "compatibility_level", "3.6"}
			daemon := listen(t, socket)

			stderr := runPostmap(t, queue, settings, name+":x")
			datagram := daemon.next()
			_, text, ok := strings.Cut(stderr, "fatal: ")
			if !ok {
				t.Fatalf("postmap said %q", stderr)
			}
			text = strings.TrimSuffix(text, "\n")

			var out bytes.Buffer
			log := newLogger(t, Options{Program: "postmap", Params: params(settings...), Stderr: true, Syslog: true})
			for _, s := range log.Hooks[0][0].(*hook).sinks {
				if stream, ok := s.(*streamSink); ok {
					stream.w = &out
				}
			}
			log.Log(logrus.FatalLevel, strings.ReplaceAll(text, Printable(name), name))
			if got := daemon.next(); variable.ReplaceAllString(got, "") != variable.ReplaceAllString(datagram, "") {
				t.Errorf("smtputf8_enable %s: datagram\n%q, Postfix sends\n%q", utf8, got, datagram)
			}
			if !strings.HasSuffix(stderr, out.String()) {
				t.Errorf("smtputf8_enable %s: standard error\n%q, Postfix writes\n%q", utf8, out.String(), stderr)
			}
		}
	}
}

// runPostmap makes Postfix's postmap complain about a table and returns what it writes on standard error.
func runPostmap(t *testing.T, dir string, settings []string, table string) string {
	t.Helper()
	var mainCF strings.Builder
	mainCF.WriteString("myhostname = mail.example.com\n")
	for i := 0; i < len(settings); i += 2 {
		mainCF.WriteString(settings[i] + " = " + settings[i+1] + "\n")
	}
	path := filepath.Join(dir, "main.cf")
	if err := os.WriteFile(path, []byte(mainCF.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute) // Postfix waits until a configuration file is no longer being written
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	program, err := testenv.LookProgram("postmap")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-q", "key", table)
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || !cmd.ProcessState.Exited() {
		t.Fatalf("postmap -q key %q: %v", table, err)
	}
	return stderr.String()
}
