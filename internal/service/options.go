package service

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/proxymapd/proxymapd/internal/config"
)

// Options are the command line of a worker, as master(8) composes it.
type Options struct {
	Program     string // argv[0] without the directory
	ServiceName string // -n: the name in master.cf; the default is Program
	Transport   string // -t: unix or inet
	Sockets     int    // -s: how many listening sockets there are, from descriptor 6 on

	Chroot       bool // -c: change the root directory to queue_directory
	Unprivileged bool // -u: become mail_owner
	Foreground   bool // -d: not a daemon; may be started from a terminal
	Debug        bool // -D, or MAIL_DEBUG in the environment: run debugger_command
	Alone        bool // -l: the process limit of the service is 1
	NoLimit      bool // -z: the service has no process limit
	Stdio        bool // -S: serve one client on standard input and output
	LogStderr    bool // -V: log to standard error as well
	Verbose      int  // -v, once for each; at least 1 with MAIL_VERBOSE in the environment

	// Overrides are -o, -i (max_idle) and -m (max_use) in their order, and then process_name, service_name and
	// process_id. They are for config.Load.
	Overrides []config.Override

	Args []string // what follows the options
}

// ParseOptions reads the command line of a worker; args is os.Args, with the program's name. The error is
// pflag.ErrHelp after --help, which has been answered on standard error.
func ParseOptions(args []string) (Options, error) {
	if len(args) == 0 {
		return Options{}, errors.New("no program name on the command line")
	}
	opt := Options{Program: filepath.Base(args[0]), Sockets: 1}
	flags := opt.flagSet()
	if err := flags.Parse(args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return Options{}, err
		}
		return Options{}, fmt.Errorf("invalid option: %w", err)
	}
	if opt.Sockets <= 0 {
		return Options{}, fmt.Errorf("invalid socket_count: %d", opt.Sockets)
	}
	if opt.ServiceName == "" {
		opt.ServiceName = opt.Program
	}
	if os.Getenv("MAIL_DEBUG") != "" {
		opt.Debug = true
	}
	if os.Getenv("MAIL_VERBOSE") != "" {
		opt.Verbose++
	}
	opt.Args = flags.Args()
	opt.Overrides = append(opt.Overrides,
		config.Override{Name: "process_name", Value: opt.Program},
		config.Override{Name: "service_name", Value: opt.ServiceName},
		config.Override{Name: "process_id", Value: strconv.Itoa(os.Getpid())})
	return opt, nil
}

func (opt *Options) flagSet() *pflag.FlagSet {
	f := pflag.NewFlagSet(opt.Program, pflag.ContinueOnError)
	f.SetInterspersed(false)
	f.SortFlags = false
	f.BoolVarP(&opt.Chroot, "chroot", "c", false, "change the root directory to queue_directory")
	f.BoolVarP(&opt.Foreground, "foreground", "d", false, "may be started from a terminal")
	f.BoolVarP(&opt.Debug, "debug", "D", false, "run debugger_command")
	f.VarP(parameter{opt, "max_idle"}, "max-idle", "i", "leave after this time without a client")
	f.BoolVarP(&opt.Alone, "alone", "l", false, "the process limit of the service is 1")
	f.VarP(parameter{opt, "max_use"}, "max-use", "m", "leave after this many clients")
	f.StringVarP(&opt.ServiceName, "service-name", "n", "", "name of the service in master.cf")
	f.VarP(parameter{opt, ""}, "option", "o", "name=value, a parameter setting that overrides main.cf")
	f.IntVarP(&opt.Sockets, "sockets", "s", opt.Sockets, "number of listening sockets")
	f.BoolVarP(&opt.Stdio, "stdio", "S", false, "serve one client on standard input and output")
	f.StringVarP(&opt.Transport, "transport", "t", "", "transport of the listening sockets: unix or inet")
	f.BoolVarP(&opt.Unprivileged, "unprivileged", "u", false, "become mail_owner")
	f.CountVarP(&opt.Verbose, "verbose", "v", "log more; may be given several times")
	f.BoolVarP(&opt.LogStderr, "log-stderr", "V", false, "log to standard error as well")
	f.BoolVarP(&opt.NoLimit, "no-limit", "z", false, "the service has no process limit")
	return f
}

// parameter is an option that sets a main.cf parameter: the one named, or with an empty name the one that the argument
// names. Options of all kinds end up in one list, because a later one wins.
type parameter struct {
	opt  *Options
	name string
}

func (p parameter) Set(value string) error {
	set := config.Override{Name: p.name, Value: value}
	if p.name == "" {
		var err error
		if set, err = config.ParseOverride(value); err != nil {
			return err
		}
	}
	p.opt.Overrides = append(p.opt.Overrides, set)
	return nil
}

func (p parameter) String() string { return "" }

func (p parameter) Type() string {
	if p.name == "" {
		return "name=value"
	}
	return "value"
}
