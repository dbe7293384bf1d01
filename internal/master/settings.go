package master

import (
	"fmt"
	"os/user"
	"strconv"
	"time"

	"github.com/proxymapd/proxymapd/internal/config"
)

// settings are the main.cf parameters that the master itself uses.
type settings struct {
	configDir     string        // configuration directory
	queueDir      string        // queue_directory
	dataDir       string        // data_directory
	daemonDir     string        // daemon_directory
	owner         owner         // mail_owner
	ownerName     string        // mail_owner
	interfaces    string        // inet_interfaces
	protocols     string        // inet_protocols
	processLimit  int           // default_process_limit
	throttleTime  time.Duration // service_throttle_time
	importEnv     string        // import_environment
	maillogFile   string        // maillog_file
	postlogSocket string        // queue_directory/public/postlog_service_name
	hostname      string        // myhostname
	version       string        // mail_version
}

// readSettings takes the settings from main.cf.
func readSettings(p *config.Params) (*settings, error) {
	s := &settings{configDir: p.Dir()}
	var postlog string
	for _, param := range []struct {
		name  string
		value *string
	}{
		{"queue_directory", &s.queueDir},
		{"data_directory", &s.dataDir},
		{"daemon_directory", &s.daemonDir},
		{"mail_owner", &s.ownerName},
		{"inet_interfaces", &s.interfaces},
		{"inet_protocols", &s.protocols},
		{"import_environment", &s.importEnv},
		{"maillog_file", &s.maillogFile},
		{"postlog_service_name", &postlog},
		{"myhostname", &s.hostname},
		{"mail_version", &s.version},
	} {
		value, err := p.String(param.name)
		if err != nil {
			return nil, err
		}
		*param.value = value
	}
	s.postlogSocket = s.queueDir + "/public/" + postlog
	var err error
	if s.processLimit, err = p.Int("default_process_limit"); err != nil {
		return nil, err
	}
	if s.throttleTime, err = p.Duration("service_throttle_time"); err != nil {
		return nil, err
	}
	if s.owner, err = lookupOwner(s.ownerName, s.configDir); err != nil {
		return nil, err
	}
	return s, nil
}

// lookupOwner finds mail_owner, who must be nobody special.
func lookupOwner(name, configDir string) (owner, error) {
	wrong := func(format string) (owner, error) {
		return owner{}, fmt.Errorf("file %s/main.cf: parameter mail_owner: "+format, configDir, name)
	}
	u, err := user.Lookup(name)
	if err != nil {
		return wrong("unknown user name value: %s")
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil || uid == 0 {
		return wrong("user %s has privileged user ID")
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil || gid == 0 {
		return wrong("user %s has privileged group ID")
	}
	return owner{uid: uid, gid: gid}, nil
}

// keepFixed replaces the settings that a reload cannot change with those in
// force, and gives a warning for each difference: workers and sockets of
// services that stay depend on them.
func (s *settings) keepFixed(running *settings) (warnings []string) {
	for _, fixed := range []struct {
		name       string
		value, old *string
	}{
		{"config_directory", &s.configDir, &running.configDir},
		{"queue_directory", &s.queueDir, &running.queueDir},
		{"inet_protocols", &s.protocols, &running.protocols},
	} {
		if *fixed.value == *fixed.old {
			continue
		}
		warnings = append(warnings,
			fmt.Sprintf("ignoring %s parameter value change", fixed.name),
			fmt.Sprintf("old value: %q, new value: %q", *fixed.old, *fixed.value),
			fmt.Sprintf("to change %s, stop and start Postfix", fixed.name))
		*fixed.value = *fixed.old
	}
	return warnings
}
