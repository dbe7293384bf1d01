package maillog

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// queueWithSocket returns a queue directory and the path of its postlog socket, which does not exist yet.
func queueWithSocket(t *testing.T) (queue, socket string) {
	t.Helper()
	queue = shortDir(t)
	if err := os.Mkdir(filepath.Join(queue, "public"), 0o755); err != nil {
		t.Fatal(err)
	}
	return queue, filepath.Join(queue, "public", "postlog")
}

func postlogParams(queue string) (file string, values []string) {
	file = filepath.Join(queue, "maillog")
	return file, []string{"queue_directory", queue, "maillog_file", file, "maillog_file_prefixes", "/var, " + queue}
}

func TestPostlog(t *testing.T) {
	syslogAt(t, "/nonexistent")
	queue, socket := queueWithSocket(t)
	file, values := postlogParams(queue)
	daemon := listen(t, socket)
	newLogger(t, Options{Program: "proxymap", Params: params(values...)}).Warn("one\ntwo")
	want := fmt.Sprintf(`^%s mail postfix/proxymap\[%d\]: warning: one\?two$`, stampExpr, os.Getpid())
	if got := daemon.next(); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("datagram %q, want %s", got, want)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the log file was written although postlogd is there")
	}

	// A child that has not read main.cf logs to the same place, under the same name.
	if got := os.Getenv(envService); got != socket {
		t.Errorf("%s is %q, want %q", envService, got, socket)
	}
	newLogger(t, Options{Program: "proxymap"}).Info("early")
	if got := daemon.next(); !strings.Contains(got, " mail postfix/proxymap[") {
		t.Errorf("datagram %q", got)
	}

	newLogger(t, Options{Program: "proxymap", Params: params()})
	if got, ok := os.LookupEnv(envService); ok {
		t.Errorf("%s is still %q without maillog_file", envService, got)
	}
}

func TestPostlogFallback(t *testing.T) {
	syslogAt(t, "/nonexistent")
	queue, socket := queueWithSocket(t)
	file, values := postlogParams(queue)
	log := newLogger(t, Options{Program: "master", Params: params(values...), FileFallback: true})
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Fatalf("log file: %v, %v; want it to exist with mode 0600", info, err)
	}
	log.Info("daemon started")
	log.Warn("no postlogd")
	text, err := os.ReadFile(file)
	want := fmt.Sprintf(`^%[1]s mail postfix/master\[%[2]d\]: daemon started\n%[1]s mail postfix/master\[%[2]d\]: warning: no postlogd\n$`,
		stampExpr, os.Getpid())
	if err != nil || !regexp.MustCompile(want).Match(text) {
		t.Errorf("log file %q (%v), want %s", text, err, want)
	}
	daemon := listen(t, socket)
	log.Info("now there is")
	if got := daemon.next(); !strings.HasSuffix(got, ": now there is") {
		t.Errorf("datagram %q", got)
	}
}

func TestNoFallbackWithoutPermission(t *testing.T) {
	syslogAt(t, "/nonexistent")
	queue, _ := queueWithSocket(t)
	file, values := postlogParams(queue)
	newLogger(t, Options{Program: "proxymap", Params: params(values...)}).Info("lost")
	if _, err := os.Stat(file); err == nil {
		t.Error("a program that may not write the log file has written it")
	}
}

func TestFilePermissions(t *testing.T) {
	for value, want := range map[string]os.FileMode{"0644": 0o644, "640": 0o640, "0600": 0o600, "0666": 0o600, "x": 0o600} {
		if got := filePermissions(params("maillog_file_permissions", value)); got != want {
			t.Errorf("maillog_file_permissions = %s: %o, want %o", value, got, want)
		}
	}
}

func TestLogFileErrors(t *testing.T) {
	syslogAt(t, "/nonexistent")
	queue, _ := queueWithSocket(t)
	_, values := postlogParams(queue)
	link, hard, target := filepath.Join(queue, "link"), filepath.Join(queue, "hard"), filepath.Join(queue, "target")
	for _, err := range []error{os.WriteFile(target, nil, 0o644), os.Link(target, hard), os.Symlink(target, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(link, 1, 1); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"/etc/passwd":       "maillog_file value '/etc/passwd' does not match any prefix in maillog_file_prefixes",
		queue + "/no/such":  "open logfile '" + queue + "/no/such': no such file or directory",
		hard:                "open logfile '" + hard + "': file has 2 hard links",
		link:                "open logfile '" + link + "': file is a symbolic link",
		queue + "/public/.": "open logfile '" + queue + "/public/.': is a directory",
	} {
		_, err := New(Options{Program: "master", Params: params(append(values, "maillog_file", path)...), FileFallback: true})
		if err == nil || err.Error() != want {
			t.Errorf("maillog_file = %s: error %v, want %s", path, err, want)
		}
	}
}

func TestReconfigure(t *testing.T) {
	path := filepath.Join(shortDir(t), "log")
	syslogAt(t, path)
	daemon := listen(t, path)
	log := newLogger(t, Options{Program: "master"})
	log.Info("before")
	daemon.next()

	queue, socket := queueWithSocket(t)
	_, values := postlogParams(queue)
	postlogd := listen(t, socket)
	if err := Reconfigure(log, Options{Program: "master", Params: params(values...), Verbose: 1}); err != nil {
		t.Fatal(err)
	}
	log.Debug("after")
	if got := postlogd.next(); !strings.HasSuffix(got, ": after") {
		t.Errorf("datagram %q", got)
	}
	if Reconfigure(log, Options{Program: "master", Params: params("maillog_file", "/etc/x")}) == nil {
		t.Fatal("no error for a bad maillog_file")
	}
	log.Info("as before")
	if got := postlogd.next(); !strings.HasSuffix(got, ": as before") {
		t.Errorf("datagram %q", got)
	}
}
