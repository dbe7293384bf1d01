package maillog

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
)

// postlog says how to reach postlogd(8), which writes maillog_file for everybody.
type postlog struct {
	service  string // path of the datagram socket
	hostname string
	file     string // maillog_file, "" when only the environment is known
	mode     fs.FileMode
}

// postlogSettings returns nil when records go to the syslog daemon. While main.cf has not been read the environment
// decides.
func postlogSettings(p *config.Params) (*postlog, error) {
	service, hostname := trustedEnv(envService), trustedEnv(envHostname)
	if hostname == "" {
		hostname = noHostname
	}
	if p == nil {
		if service == "" {
			return nil, nil
		}
		return &postlog{service: service, hostname: hostname}, nil
	}
	file, err := p.String("maillog_file")
	if err != nil || file == "" {
		return nil, err
	}
	set := &postlog{file: file, hostname: hostname, mode: filePermissions(p)}
	if err := checkPrefix(p, file); err != nil {
		return nil, err
	}
	if own, err := p.String("myhostname"); err == nil && own != "" {
		set.hostname = own
	}
	queue, err := p.String("queue_directory")
	if err != nil {
		return nil, err
	}
	name, err := p.String("postlog_service_name")
	if err != nil {
		return nil, err
	}
	set.service = queue + "/public/" + name
	return set, nil
}

// checkPrefix refuses a log file outside of the places where log files may be.
func checkPrefix(p *config.Params, file string) error {
	prefixes, err := p.String("maillog_file_prefixes")
	if err != nil {
		return err
	}
	for _, prefix := range strings.FieldsFunc(prefixes, isListSeparator) {
		if strings.HasPrefix(file, prefix) {
			return nil
		}
	}
	return fmt.Errorf("maillog_file value '%s' does not match any prefix in maillog_file_prefixes", file)
}

func isListSeparator(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }

// filePermissions returns the mode of a new log file: maillog_file_permissions if it is one that Postfix allows.
func filePermissions(p *config.Params) fs.FileMode {
	value, err := p.String("maillog_file_permissions")
	if err == nil {
		switch mode, _ := strconv.ParseUint(value, 8, 16); mode {
		case 0o644, 0o640:
			return fs.FileMode(mode)
		}
	}
	return 0o600
}

// export tells child processes how to log before they have read main.cf.
func (s postlog) export() error {
	for name, value := range map[string]string{envService: s.service, envHostname: s.hostname} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setenv %s: %w", name, err)
		}
	}
	return nil
}
