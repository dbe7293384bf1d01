package master

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"time"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/maillog"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// Options are the command line options of master(8).
type Options struct {
	ConfigDir  string        // -c: configuration directory; "" for the default
	Debug      bool          // -D: run debugger_command after initialization
	Foreground bool          // -d: keep the terminal, stay in the process group
	ExitAfter  time.Duration // -e: end after this time; 0 for never
	Init       bool          // -i: run as process 1 of a container
	KeepStdout bool          // -s: do not redirect standard output
	TestLock   bool          // -t: only say whether a master runs
	Verbose    int           // -v: number of times
	Wait       bool          // -w: go to the background, return when ready
}

// process is a running master with everything around its supervisor.
type process struct {
	options  Options
	log      *logrus.Logger
	params   *config.Params // in force
	settings *settings      // in force
	network  network
	m        *supervisor
	k        *kernel
	monitor  int        // descriptor of the process that waits for us, or -1
	locks    []*os.File // held open for their locks
}

// Run is the whole of master(8). The result is the exit status: 0 after -e, -w
// or -t when no master runs, 1 after an error or -t when one runs. A signal that
// ends the master ends the process.
func Run(opt Options) int {
	unix.Umask(0o077)
	signal.Ignore(unix.SIGPIPE)
	p := &process{options: opt, monitor: takeMonitor()}
	closeInherited()
	if os.Getenv(envVerbose) != "" {
		p.options.Verbose = max(p.options.Verbose, 1)
	}
	if os.Getenv(envDebug) != "" {
		p.options.Debug = true
	}
	log, err := maillog.New(p.logOptions(nil, true))
	if err != nil {
		os.Stderr.WriteString("master: fatal: " + err.Error() + "\n")
		return 1
	}
	p.log = log
	status, err := p.main()
	if err != nil {
		p.log.Log(logrus.FatalLevel, err)
		return 1
	}
	return status
}

// logOptions are the options of the log. A master with a terminal tells it what
// it logs.
func (p *process) logOptions(params *config.Params, terminal bool) maillog.Options {
	return maillog.Options{
		Program:      "master",
		Params:       params,
		Syslog:       true,
		Stderr:       terminal,
		FileFallback: true,
		Verbose:      p.options.Verbose,
	}
}

// main does what Run says; an error is fatal.
func (p *process) main() (int, error) {
	opt := p.options
	if err := p.checkOptions(); err != nil {
		return 1, err
	}
	if opt.ConfigDir != "" {
		if err := os.Setenv(envConfig, opt.ConfigDir); err != nil {
			return 1, err
		}
	}
	if opt.Wait && p.monitor < 0 {
		return 0, monitor()
	}
	params, err := config.Load(config.Dir(opt.ConfigDir), nil)
	if err != nil {
		return 1, err
	}
	params.SetOverride("process_name", "master")
	params.SetOverride("process_id", strconv.Itoa(os.Getpid()))
	if p.settings, err = readSettings(params); err != nil {
		return 1, err
	}
	if err := p.checkUser(); err != nil {
		return 1, err
	}
	if opt.TestLock {
		return p.testLock()
	}
	if err := p.prepare(params); err != nil {
		return 1, err
	}
	if err := p.startServices(params); err != nil {
		return 1, err
	}
	return p.serve()
}

func (p *process) checkOptions() error {
	opt := p.options
	switch {
	case os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid():
		return errors.New("the master command must not run as a set-uid process")
	case opt.TestLock && opt.Wait:
		return errors.New("the -t and -w options cannot be used together")
	case opt.Init && os.Getpid() != 1:
		return errors.New("-i is allowed only for PID 1 process")
	case opt.Init && (opt.Debug || opt.Foreground || opt.Wait):
		return errors.New("the -i option cannot be used with -D, -d, or -w")
	}
	return nil
}

// checkUser lets only root run a master, because it takes privileges to give
// them up, and mail_owner, who then has none to give up.
func (p *process) checkUser() error {
	if uid := os.Geteuid(); uid != 0 && uid != p.settings.owner.uid {
		return errors.New("the master command is reserved for the superuser, or for the mail_owner " + p.settings.ownerName)
	}
	return nil
}

// testLock is the -t option.
func (p *process) testLock() (int, error) {
	if err := os.Chdir(p.settings.queueDir); err != nil {
		return 1, &osError{"chdir " + p.settings.queueDir, err}
	}
	if masterRuns() {
		return 1, nil
	}
	return 0, nil
}

// prepare makes the process a daemon with a clean environment in the queue
// directory, and makes sure that it is the only one.
func (p *process) prepare(params *config.Params) error {
	opt, s := p.options, p.settings
	if !opt.Foreground {
		if err := detach(opt.KeepStdout || opt.Init, !opt.Init && !opt.Debug); err != nil {
			return err
		}
	}
	// The log sets variables of its own, which import_environment is to see.
	if err := maillog.Reconfigure(p.log, p.logOptions(params, opt.Foreground)); err != nil {
		return err
	}
	if err := cleanEnvironment(s.importEnv); err != nil {
		return err
	}
	if err := exportSettings(s); err != nil {
		return err
	}
	for _, w := range params.Warnings() {
		p.log.Warn(w)
	}
	raiseFileLimit()
	if err := os.Chdir(s.queueDir); err != nil {
		return &osError{"chdir " + s.queueDir, err}
	}
	if err := p.lock(); err != nil {
		return err
	}
	if opt.Debug {
		return p.runDebugger(params)
	}
	return nil
}

// lock takes the locks of the queue and, as mail_owner, of the data directory.
func (p *process) lock() error {
	queue, err := lockFile(pidFile)
	if err != nil {
		return err
	}
	var data *os.File
	err = p.settings.owner.do(func() (err error) {
		data, err = lockFile(p.settings.dataDir + dataLock)
		return err
	})
	if err != nil {
		queue.Close()
		return err
	}
	p.locks = []*os.File{queue, data}
	return nil
}

// runDebugger executes debugger_command, which normally starts a debugger on
// this process in the background.
func (p *process) runDebugger(params *config.Params) error {
	command, err := params.String("debugger_command")
	if err != nil {
		return err
	}
	if command == "" {
		return errors.New("no debugger_command variable set up")
	}
	p.log.Infof("running: %s", command)
	if err := exec.Command("/bin/sh", "-c", command).Run(); err != nil {
		p.log.Warnf("debugger_command: %v", err)
	}
	return nil
}

// serve executes the event loop until the process is to end.
func (p *process) serve() (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p.handleSignals()
	// The log was opened before our postlog socket was there: what it is connected to may be the socket of a former
	// master's postlogd(8), which is about to end.
	if err := maillog.Reconfigure(p.log, p.logOptions(p.params, p.options.Foreground)); err != nil {
		return 1, err
	}
	p.log.Infof("daemon started -- version %s, configuration %s", p.settings.version, p.settings.configDir)
	reportReady(p.monitor)
	if d := p.options.ExitAfter; d > 0 {
		p.m.after(d, func() {
			p.log.Info("master exit time has arrived")
			cancel()
		})
	}
	if err := p.m.run(ctx); err != nil {
		maillog.Lines(p.log, logrus.ErrorLevel, err.Error())
		return 1, errors.New("internal error")
	}
	return 0, nil
}
