package master

import (
	"errors"
	"os"
	"strconv"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/maillog"
)

// startServices reads master.cf and puts the services into service, in a new
// supervisor.
func (p *process) startServices(params *config.Params) error {
	s := p.settings
	protocols, err := p.parseProtocols(s.protocols)
	if err != nil {
		return err
	}
	p.network = network{interfaces: s.interfaces, protocols: protocols}
	flow, err := newFlowPipe()
	if err != nil {
		return err
	}
	p.k = &kernel{
		owner:      s.owner,
		flow:       flow,
		env:        os.Environ(),
		foreground: p.options.Foreground,
		verbose:    p.options.Verbose > 0,
	}
	p.m = newSupervisor(p.k, p.log)
	p.k.m = p.m
	p.params = params
	list, failed := parseServices(s.configDir, params, s, p.network, p.log)
	if err := p.m.startAll(list); err != nil {
		failed = err
	}
	if failed != nil {
		// The reason must not be sent to a postlog socket that nobody is
		// going to read.
		for _, s := range p.m.services {
			p.k.Unlisten(s)
		}
	}
	return failed
}

func (p *process) parseProtocols(value string) (protocols, error) {
	all, err := parseProtocols(value)
	if err != nil {
		return all, err
	}
	usable, warnings := all.supported()
	for _, w := range warnings {
		p.log.Warn(w)
	}
	return usable, nil
}

// reload reads the configuration again. When there is anything wrong with it the
// master goes on with the one it has: a mail system that runs is worth more than
// the news about a typing error.
func (p *process) reload() {
	p.log.Infof("reload -- version %s, configuration %s", p.settings.version, p.settings.configDir)
	if err := p.tryReload(); err != nil {
		p.log.Errorf("%v -- keeping the old configuration", err)
	}
}

func (p *process) tryReload() error {
	params, err := config.Load(config.Dir(p.options.ConfigDir), nil)
	if err != nil {
		return err
	}
	params.SetOverride("process_name", "master")
	params.SetOverride("process_id", strconv.Itoa(os.Getpid()))
	s, err := readSettings(params)
	if err != nil {
		return err
	}
	for _, w := range append(params.Warnings(), s.keepFixed(p.settings)...) {
		p.log.Warn(w)
	}
	list, err := parseServices(s.configDir, params, s, p.network, p.log)
	if err != nil {
		return err
	}
	if err := maillog.Reconfigure(p.log, p.logOptions(params, p.options.Foreground)); err != nil {
		return err
	}
	old := p.k.owner
	p.k.owner = s.owner
	if err := p.m.replaceAll(list); err != nil {
		p.k.owner = old
		return errors.Join(err, maillog.Reconfigure(p.log, p.logOptions(p.params, p.options.Foreground)))
	}
	p.settings, p.params = s, params
	if err := exportSettings(s); err != nil {
		return err
	}
	p.k.env = os.Environ()
	return nil
}
