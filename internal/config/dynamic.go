package config

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// DefaultDaemonDir is the default of daemon_directory. When it is empty, it is the first of the usual directories
// (Debian's, then Postfix's own default) that holds a master. A build may set it with the linker's -X option.
var DefaultDaemonDir = ""

const postfixDaemonDir = "/usr/libexec/postfix"

var daemonDirs = []string{"/usr/lib/postfix/sbin", postfixDaemonDir}

const unknownDomain = "localdomain"

// machine holds the defaults that depend on the machine, once they were asked for.
type machine struct {
	hostname func() string
	daemons  func() string

	mu       sync.Mutex
	networks map[string]string // by the three parameters that decide
}

func newMachine() *machine {
	return &machine{
		hostname: sync.OnceValue(func() string {
			name, err := os.Hostname()
			if err != nil || name == "" {
				return "localhost"
			}
			return name
		}),
		daemons:  sync.OnceValue(findDaemons),
		networks: map[string]string{},
	}
}

func findDaemons() string {
	if DefaultDaemonDir != "" {
		return DefaultDaemonDir
	}
	for _, dir := range daemonDirs {
		if _, err := os.Stat(filepath.Join(dir, "master")); err == nil {
			return dir
		}
	}
	return postfixDaemonDir
}

// Default returns a parameter's built-in default, unexpanded. A few defaults depend on the machine or on other
// parameters.
func (p *Params) Default(name string) (value string, ok bool) {
	b := builtin(name)
	if b == nil {
		return "", false
	}
	switch name {
	case "config_directory":
		return p.dir, true
	case "daemon_directory":
		return p.machine.daemons(), true
	case "myhostname":
		return p.defaultHostname(), true
	case "mydomain":
		return p.defaultDomain(), true
	case "mynetworks":
		return p.defaultNetworks(), true
	case "process_id":
		return strconv.Itoa(os.Getpid()), true
	case "process_name":
		return filepath.Base(os.Args[0]), true
	}
	return b.Default, true
}

// defaultHostname is the system's name, with mydomain appended if it has no domain.
func (p *Params) defaultHostname() string {
	name := p.machine.hostname()
	if strings.Contains(name, ".") {
		return name
	}
	domain := unknownDomain
	if p.IsSet("mydomain") {
		domain = p.evalPending("mydomain", "mydomain", "myhostname", "mynetworks")
	}
	return name + "." + domain
}

// defaultDomain is what follows the first dot of myhostname.
func (p *Params) defaultDomain() string {
	host := ""
	if p.IsSet("myhostname") {
		host = p.evalPending("myhostname", "mydomain", "myhostname", "mynetworks")
	} else {
		host = p.defaultHostname()
	}
	if _, domain, ok := strings.Cut(host, "."); ok {
		return domain
	}
	return unknownDomain
}

// defaultNetworks is what mynetworks_style selects of the machine's networks.
func (p *Params) defaultNetworks() string {
	style := p.evalPending("mynetworks_style", "mynetworks")
	interfaces := p.evalPending("inet_interfaces", "mynetworks")
	protocols := p.evalPending("inet_protocols", "mynetworks")
	key := style + "\x00" + interfaces + "\x00" + protocols
	p.machine.mu.Lock()
	defer p.machine.mu.Unlock()
	value, ok := p.machine.networks[key]
	if !ok {
		value = ownNetworks(style, interfaces, protocols)
		p.machine.networks[key] = value
	}
	return value
}

// evalPending returns the expanded value of a parameter while the defaults of the pending ones are not known, so that
// references to those are empty. A syntax error makes it empty; it shows when the parameter itself is used.
func (p *Params) evalPending(name string, pending ...string) string {
	lookup := func(n string) (string, bool) {
		if !p.IsSet(n) && slices.Contains(pending, n) {
			return "", false
		}
		return p.Raw(n)
	}
	raw, _ := lookup(name)
	value, err := p.expander(lookup).Expand(raw)
	if err != nil {
		return ""
	}
	return value
}
