package maillog

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/proxymapd/proxymapd/internal/config"
)

// The environment by which a process tells its children how to log before they have read main.cf.
const (
	envTag      = "MAIL_LOGTAG"
	envService  = "POSTLOG_SERVICE"
	envHostname = "POSTLOG_HOSTNAME"
)

const (
	defaultTag = "postfix"
	// noHostname is what Postfix logs while it does not know its own name.
	noHostname = "amnesiac"
	// maxText is how much of a message is sent to a log daemon, in bytes.
	maxText = 2000
)

// syslogPath is where the syslog daemon listens. It is a variable for tests.
var syslogPath = "/dev/log"

// openDaemon opens the way to syslogd or, when maillog_file is set, to postlogd. It exports what children need.
func openDaemon(opt Options, program string) (sink, error) {
	tag, err := logTag(opt.Params)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s/%s[%d]", tag, program, os.Getpid())
	post, err := postlogSettings(opt.Params)
	if err != nil {
		return nil, err
	}
	if post == nil {
		return openSyslog(opt.Params, name)
	}
	return openPostlog(*post, name, opt.FileFallback)
}

// logTag returns the name of the mail system: syslog_name, which it exports, or while main.cf has not been read the name
// that a parent process has exported.
func logTag(p *config.Params) (string, error) {
	tag := trustedEnv(envTag)
	if p == nil {
		if tag == "" {
			tag = defaultTag
		}
		return tag, nil
	}
	configured, err := p.String("syslog_name")
	if err != nil {
		return "", err
	}
	if tag != configured {
		if err := os.Setenv(envTag, configured); err != nil {
			return "", fmt.Errorf("setenv %s %s: %w", envTag, configured, err)
		}
	}
	return configured, nil
}

func openSyslog(p *config.Params, name string) (sink, error) {
	facility := facilities["mail"]
	if p != nil {
		value, err := p.String("syslog_facility")
		if err != nil {
			return nil, err
		}
		var ok bool
		if facility, ok = facilities[value]; !ok {
			return nil, fmt.Errorf("file %s/main.cf: parameter syslog_facility: unrecognized value: %s", p.Dir(), value)
		}
	}
	for _, env := range []string{envService, envHostname} {
		if err := os.Unsetenv(env); err != nil {
			return nil, fmt.Errorf("unsetenv %s: %w", env, err)
		}
	}
	loadTimeZone()
	return newDatagramSink(syslogPath, func(r record) string {
		return fmt.Sprintf("<%d>%s %s: %s", facility|severity(r.level), stamp(), name, cut(r))
	}, nil), nil
}

func openPostlog(set postlog, name string, fallback bool) (sink, error) {
	if err := set.export(); err != nil {
		return nil, err
	}
	host, _, _ := strings.Cut(set.hostname, ".")
	loadTimeZone()
	var file *logFile
	if fallback && set.file != "" {
		file = &logFile{path: set.file, mode: set.mode}
	}
	s := newDatagramSink(set.service, func(r record) string {
		return fmt.Sprintf("%s %s %s: %s", stamp(), host, name, cut(r))
	}, file)
	if file != nil && !s.connected() {
		if err := file.open(); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// stamp returns the local time as syslog daemons and Postfix's log files have it.
func stamp() string { return time.Now().Format(time.Stamp) }

// loadTimeZone reads the time zone now: in a chroot jail there may be no /etc/localtime.
func loadTimeZone() { _ = stamp() }

// cut limits a record to maxText bytes after its prefix, as Postfix does.
func cut(r record) string {
	limit := maxText + len(prefix(r.level))
	if len(r.text) <= limit {
		return r.text
	}
	return strings.ToValidUTF8(r.text[:limit], "")
}

// trustedEnv reads an environment variable unless the program runs with more privileges than its caller has.
func trustedEnv(name string) string {
	if os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid() {
		return ""
	}
	return os.Getenv(name)
}

func boolParam(p *config.Params, name string, otherwise bool) bool {
	if p == nil {
		return otherwise
	}
	value, err := p.Bool(name)
	if err != nil {
		return otherwise
	}
	return value
}
