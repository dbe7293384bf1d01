package maillog

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
)

// shortDir returns a temporary directory with a path that is short enough for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// logDaemon receives datagrams as syslogd and postlogd do.
type logDaemon struct {
	t    *testing.T
	conn *net.UnixConn
}

func listen(t *testing.T, path string) *logDaemon {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &logDaemon{t, conn}
}

func (d *logDaemon) next() string {
	d.t.Helper()
	d.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	buf := make([]byte, 65536)
	n, err := d.conn.Read(buf)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(buf[:n])
}

// syslogAt makes New log to a daemon of the test instead of /dev/log, without anything that the environment says.
func syslogAt(t *testing.T, path string) {
	t.Helper()
	old := syslogPath
	syslogPath = path
	t.Cleanup(func() { syslogPath = old })
	for _, name := range []string{envTag, envService, envHostname} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
}

func params(values ...string) *config.Params {
	set := map[string]string{"myhostname": "mail.example.com", "smtputf8_enable": "yes"}
	for i := 0; i < len(values); i += 2 {
		set[values[i]] = values[i+1]
	}
	return config.New("/etc/postfix", set)
}

func newLogger(t *testing.T, opt Options) *logrus.Logger {
	t.Helper()
	log, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeHooks(log.Hooks) })
	return log
}

const stampExpr = `[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d`

func TestSyslogLines(t *testing.T) {
	path := filepath.Join(shortDir(t), "log")
	syslogAt(t, path)
	daemon := listen(t, path)
	log := newLogger(t, Options{Program: "/usr/lib/postfix/sbin/proxymap", Params: params(), Syslog: true})
	log.ExitFunc = func(int) {}
	for _, test := range []struct {
		write func()
		want  string // mail is facility 2; the severity is added
	}{
		{func() { log.Info("table x has changed") }, "<22> table x has changed"},
		{func() { log.Warn("slow") }, "<20> warning: slow"},
		{func() { log.Error("broken\n") }, "<19> error: broken"},
		{func() { log.Fatal("over") }, "<18> fatal: over"},
		{func() { log.Log(logrus.FatalLevel, "over") }, "<18> fatal: over"},
		{func() {
			defer func() { _ = recover() }()
			log.Panic("inconsistent")
		}, "<18> panic: inconsistent"},
		{func() { log.Debug("not shown"); log.Info("shown") }, "<22> shown"},
		{func() { log.Warnf("key %s", "a\nJan  1 00:00:00 host postfix/smtpd[1]: fatal: x\x00\x1b") },
			"<20> warning: key a?Jan  1 00:00:00 host postfix/smtpd[1]: fatal: x??"},
		{func() { log.Info(strings.Repeat("x", 3000)) }, "<22> " + strings.Repeat("x", 2000)},
		{func() { log.Warn(strings.Repeat("x", 3000)) }, "<20> warning: " + strings.Repeat("x", 2000)},
		{func() {
			log.WithFields(logrus.Fields{"table": "cdb:a b", "n": 3, "key": "x\"y\nz"}).Info("slow")
		}, `<22> slow key="x\"y?z" n=3 table="cdb:a b"`},
	} {
		test.write()
		pri, text, _ := strings.Cut(test.want, " ")
		want := fmt.Sprintf(`^%s%s postfix/proxymap\[%d\]: %s$`, pri, stampExpr, os.Getpid(), regexp.QuoteMeta(text))
		if got := daemon.next(); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("datagram %q, want %s", got, want)
		}
	}
}

func TestSyslogNameAndFacility(t *testing.T) {
	path := filepath.Join(shortDir(t), "log")
	syslogAt(t, path)
	daemon := listen(t, path)

	t.Setenv(envTag, "postfix-out")
	newLogger(t, Options{Program: "proxymap", Syslog: true}).Info("early")
	if got := daemon.next(); !strings.Contains(got, " postfix-out/proxymap[") {
		t.Errorf("before main.cf is read: %q", got)
	}
	newLogger(t, Options{Program: "proxymap", Params: params("syslog_name", "mx/${service}", "service", "in",
		"syslog_facility", "local3")}).Info("late")
	if got := daemon.next(); !strings.HasPrefix(got, "<158>") || !strings.Contains(got, " mx/in/proxymap[") {
		t.Errorf("with main.cf: %q", got)
	}
	if got := os.Getenv(envTag); got != "mx/in" {
		t.Errorf("%s=%s is left for children", envTag, got)
	}
	_, err := New(Options{Program: "proxymap", Params: params("syslog_facility", "nowhere")})
	if err == nil || !strings.HasSuffix(err.Error(), "parameter syslog_facility: unrecognized value: nowhere") {
		t.Errorf("error %v", err)
	}
}

// A chroot makes the socket's path disappear; a restart of the daemon puts another socket there.
func TestSyslogConnectionIsKeptAndReplaced(t *testing.T) {
	path := filepath.Join(shortDir(t), "log")
	syslogAt(t, path)
	daemon := listen(t, path)
	log := newLogger(t, Options{Program: "proxymap", Params: params()})
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	log.Info("from the jail")
	if got := daemon.next(); !strings.HasSuffix(got, ": from the jail") {
		t.Errorf("%q", got)
	}
	daemon.conn.Close()
	log.Info("one")
	log.Info("two")
	restarted := listen(t, path)
	log.Info("three")
	if got := restarted.next(); !strings.HasSuffix(got, ": warning: 2 log records were lost before this one") {
		t.Errorf("%q", got)
	}
	if got := restarted.next(); !strings.HasSuffix(got, ": three") {
		t.Errorf("%q", got)
	}
	again := path + ".new"
	restarted.conn.Close()
	restarted = listen(t, again)
	if err := os.Rename(again, path); err != nil {
		t.Fatal(err)
	}
	log.Info("not lost by a quick restart")
	if got := restarted.next(); !strings.HasSuffix(got, ": not lost by a quick restart") {
		t.Errorf("%q", got)
	}
}

// A daemon that has stopped reading must not stop ours.
func TestStuckSyslogDaemon(t *testing.T) {
	path := filepath.Join(shortDir(t), "log")
	syslogAt(t, path)
	listen(t, path)
	log := newLogger(t, Options{Program: "proxymap", Params: params()})
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := log.Hooks[logrus.InfoLevel][0].(*hook).sinks[0].(*datagramSink)
		for s.lost == 0 {
			log.Info("nobody reads this")
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("a record waits for a daemon that does not read")
	}
}

func TestStderr(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(t, Options{Program: "/usr/sbin/postmap", Stderr: true, Params: params()})
	log.Hooks[logrus.InfoLevel][0].(*hook).sinks[0].(*streamSink).w = &out
	log.Warn("cdb:x is\nunavailable")
	log.Info("done")
	if want := "postmap: warning: cdb:x is?unavailable\npostmap: done\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestVerbose(t *testing.T) {
	for verbose, want := range []string{"", "debug\n", "debug\ntrace\n", "debug\ntrace\n"} {
		var out bytes.Buffer
		log := newLogger(t, Options{Program: "postmap", Stderr: true, Verbose: verbose})
		log.SetOutput(&out)
		log.Debug("debug")
		log.Trace("trace")
		if out.String() != want {
			t.Errorf("-v %d times: %q, want %q", verbose, out.String(), want)
		}
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(t, Options{Program: "postmap", Stderr: true})
	log.SetOutput(&out)
	Lines(log, logrus.ErrorLevel, "goroutine 1:\n\tmain.go:1\r\n")
	Lines(log, logrus.WarnLevel, "w")
	Lines(log, logrus.InfoLevel, "i")
	if want := "error: goroutine 1:\nerror:     main.go:1\nwarning: w\ni\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
