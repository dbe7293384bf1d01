package service

import (
	"syscall"
	"time"

	"github.com/proxymapd/proxymapd/internal/config"
)

// settings are the parameters that every worker has.
type settings struct {
	maxUse     int           // clients after which the worker leaves; 0: no limit
	maxIdle    time.Duration // time without a client after which it leaves; 0: no limit
	ipcTimeout time.Duration // how long a Read or a Write may take
	watchdog   time.Duration // daemon_timeout: how long the process may be stuck
	maxClients int           // clients at the same time
}

func loadSettings(p *config.Params, s Service) (settings, error) {
	var set settings
	var err error
	if set.maxUse, err = p.Int("max_use"); err != nil {
		return set, err
	}
	for name, value := range map[string]*time.Duration{
		"max_idle": &set.maxIdle, "ipc_timeout": &set.ipcTimeout, "daemon_timeout": &set.watchdog,
	} {
		if *value, err = p.Duration(name); err != nil {
			return set, err
		}
	}
	set.maxClients = clientLimit(s.MaxClients)
	return set, nil
}

// clientLimit keeps a quarter of the descriptors for tables and their servers.
func clientLimit(wanted int) int {
	if wanted <= 0 {
		wanted = DefaultMaxClients
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur/4*3 < uint64(wanted) {
		wanted = int(files.Cur / 4 * 3)
	}
	return max(wanted, 1)
}
