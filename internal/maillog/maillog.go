// Package maillog sets up logrus to log as Postfix's programs do.
//
// A record is one line, for example
//
//	postfix/proxymap[123]: warning: open cdb:/etc/postfix/x: no such file or directory
//
// that goes to the syslog daemon, or to the postlog service when maillog_file is set, or to standard error, where a
// command-line tool writes `postmap: warning: ...`. See syslogd(8), postlogd(8) and the parameters maillog_file,
// syslog_name and syslog_facility in postconf(5).
//
// Whatever a record contains, it stays one line: every character that is not printable becomes a question mark (see
// Printable), so that a key or a table name cannot forge a record.
package maillog

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
)

// Options says who logs and where to.
type Options struct {
	// Program is the name of the program; only what follows the last slash counts. Records carry syslog_name in front
	// of it: proxymap logs as postfix/proxymap.
	Program string

	// Params is the configuration, or nil as long as it has not been read. Without it the environment decides
	// (MAIL_LOGTAG, POSTLOG_SERVICE, POSTLOG_HOSTNAME), as a parent process has left it.
	Params *config.Params

	// Syslog logs to the syslog daemon, or to the postlog service when maillog_file is set. It is assumed when Stderr
	// is off.
	Syslog bool

	// Stderr logs to standard error, as the command-line tools do; the daemons do it with -V.
	Stderr bool

	// StderrName is the name on standard error. The default is the program's bare name, as tools use it.
	StderrName string

	// FileFallback writes maillog_file itself while the postlog service cannot be reached. Only master(8) and programs
	// that start it do this in Postfix. The file is opened at once, and an error to do so is an error of New.
	FileFallback bool

	// Verbose is the number of -v options: 1 shows logrus' debug level, 2 the trace level too, both without a prefix.
	Verbose int
}

// New returns a logger for the options. Records that cannot be delivered are dropped and counted; logging never fails
// and never waits longer than a second for the log daemon.
func New(opt Options) (*logrus.Logger, error) {
	log := logrus.New()
	log.SetOutput(io.Discard) // the hook does the output: only there the level is known
	log.SetFormatter(formatter{})
	log.ExitFunc = os.Exit
	if err := Reconfigure(log, opt); err != nil {
		return nil, err
	}
	return log, nil
}

// Reconfigure changes a logger that New made to other options, for example when the configuration has been read or read
// again. After an error the logger is what it was.
func Reconfigure(log *logrus.Logger, opt Options) error {
	sinks, err := openSinks(opt)
	if err != nil {
		return err
	}
	log.SetLevel(logrus.InfoLevel + logrus.Level(min(max(opt.Verbose, 0), 2)))
	old := log.ReplaceHooks(logrus.LevelHooks{})
	log.AddHook(&hook{sinks: sinks})
	closeHooks(old)
	return nil
}

// Lines logs each line of a text, for example a stack trace, as a record of its own.
func Lines(log logrus.FieldLogger, level logrus.Level, text string) {
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")
		switch level {
		case logrus.ErrorLevel:
			log.Error(line)
		case logrus.WarnLevel:
			log.Warn(line)
		default:
			log.Info(line)
		}
	}
}

// openSinks opens everything that the options ask for.
func openSinks(opt Options) ([]sink, error) {
	utf8Enabled.Store(boolParam(opt.Params, "smtputf8_enable", true))
	program := filepath.Base(opt.Program)
	var sinks []sink
	if opt.Syslog || !opt.Stderr {
		s, err := openDaemon(opt, program)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, s)
	}
	if opt.Stderr {
		name := opt.StderrName
		if name == "" {
			name = program
		}
		sinks = append(sinks, &streamSink{w: os.Stderr, name: name})
	}
	return sinks, nil
}
