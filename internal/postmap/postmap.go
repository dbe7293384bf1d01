package postmap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/maillog"
	"github.com/proxymapd/proxymapd/maptypes"
)

// Exit statuses.
const (
	exitFound    = 0 // done, or found
	exitNotFound = 1 // not found, or an error that was logged
)

// program is one run of the command.
type program struct {
	*options
	ctx         context.Context
	log         *logrus.Logger
	params      *config.Params
	env         *maptypes.Env
	out         *printer
	defaultType string // default_database_type
}

// Main runs postmap(1) with the given command line and map types, and returns its
// exit status. It changes the process: umask, environment, effective user.
func Main(args []string, drivers []maptypes.Driver) int {
	return start(&options{}, args, drivers)
}

// start runs the command that opt says.
func start(opt *options, args []string, drivers []maptypes.Driver) int {
	syscall.Umask(0o022)
	name := filepath.Base(args[0])
	log, err := maillog.New(maillog.Options{Program: name, Stderr: true, Syslog: true})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: fatal: %v\n", name, err)
		return exitNotFound
	}
	err = opt.parse(args[1:])
	status := exitNotFound
	switch {
	case err == nil && opt.action == checking:
		return opt.check(log, drivers)
	case err == nil:
		status, err = run(name, opt, log, drivers)
	}
	var misused *usageError
	if errors.As(err, &misused) {
		if misused.text != "" {
			fmt.Fprintf(os.Stderr, "%s: %s\n", name, maillog.Printable(misused.text))
		}
		err = fmt.Errorf("usage: %s %s", name, opt.usage())
	}
	var signalled *interrupted
	if errors.As(err, &signalled) {
		signalled.die()
	}
	if err != nil {
		log.Log(logrus.FatalLevel, err)
		return exitNotFound
	}
	return status
}

// run does what the options ask for.
func run(name string, opt *options, log *logrus.Logger, drivers []maptypes.Driver) (status int, err error) {
	if os.Getenv("MAIL_VERBOSE") != "" {
		opt.verbose++
	}
	p := &program{options: opt, ctx: context.Background(), log: log, out: newPrinter(os.Stdout, opt)}
	if err := p.configure(name, drivers); err != nil {
		return exitNotFound, err
	}
	if err := p.checkMessageOptions(); err != nil {
		return exitNotFound, err
	}
	if err := p.checkTables(); err != nil {
		return exitNotFound, err
	}
	found, err := p.act()
	if err != nil {
		return exitNotFound, err
	}
	if err := p.out.flush(); err != nil {
		return exitNotFound, err
	}
	if found {
		return exitFound, nil
	}
	return exitNotFound, nil
}

// checkTables looks at the operands.
func (p *program) checkTables() (err error) {
	switch {
	case len(p.tables) > 0 || p.action == list:
		return nil
	case p.aliases && p.action == build:
		p.tables, err = p.aliasDatabase()
		return err
	default:
		return &usageError{}
	}
}

// act performs the action, and reports whether there was something to find.
func (p *program) act() (found bool, err error) {
	switch p.action {
	case query:
		switch {
		case p.explain:
			return p.explainKeys(os.Stdin)
		case p.key != "-":
			return p.queryOne()
		case p.keysFromMessage():
			return p.queryMessage(os.Stdin)
		default:
			return p.queryMany(os.Stdin)
		}
	case remove:
		if p.key == "-" {
			return p.removeMany(os.Stdin)
		}
		return p.removeOne()
	case list:
		return p.list()
	case update:
		return true, p.update(os.Stdin)
	default:
		return true, p.build()
	}
}

// configure reads main.cf.
func (p *program) configure(name string, drivers []maptypes.Driver) error {
	if err := p.loadParams(); err != nil {
		return err
	}
	if err := p.applyParams(); err != nil {
		return err
	}
	logging := maillog.Options{Program: name, Params: p.params, Stderr: true, Syslog: true, Verbose: p.verbose}
	if err := maillog.Reconfigure(p.log, logging); err != nil {
		return err
	}
	utf8, err := p.params.Bool("smtputf8_enable")
	if err != nil {
		return err
	}
	p.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(drivers...),
		Param: func(name string) (string, bool) {
			value, err := p.params.String(name)
			_, known := p.params.Raw(name)
			return value, known && err == nil
		},
		Infof:  p.log.Infof,
		Warnf:  p.log.Warnf,
		Errorf: p.log.Errorf,
		UTF8:   utf8,
	}
	return nil
}

// loadParams loads and checks the parameters of the configuration directory.
func (p *program) loadParams() (err error) {
	if p.configDirGiven {
		if err := os.Setenv("MAIL_CONFIG", p.configDir); err != nil {
			return fmt.Errorf("set MAIL_CONFIG: %w", err)
		}
	}
	dir := config.Dir("")
	if dir == "" { // not the working directory, which may be anybody's
		dir = "/"
	}
	if p.params, err = config.Load(dir, nil); err != nil {
		return err
	}
	for _, warning := range p.params.Warnings() {
		p.log.Warn(warning)
	}
	return p.params.Check(config.Common...)
}

// applyParams takes over the parameters that the command itself uses.
func (p *program) applyParams() error {
	variables, err := p.params.String("import_environment")
	if err != nil {
		return err
	}
	if err := setEnvironment(variables); err != nil {
		return err
	}
	p.defaultType, err = p.params.String("default_database_type")
	return err
}

// checkMessageOptions looks at -b, -h, -m, and -U.
func (p *program) checkMessageOptions() error {
	any := p.keysFromMessage() || p.mimeKeys
	switch {
	case any && (p.action != query || p.key != "-"):
		return errors.New(`specify -b -h or -m only with "-q -"`)
	case any && !p.keysFromMessage():
		p.log.Warn("ignoring -m option without -b or -h")
	case any && !p.forceUTF8:
		p.flags &^= maptypes.FlagUTF8Request | maptypes.FlagUTF8Active
	}
	return nil
}
