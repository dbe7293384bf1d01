package postmap

import (
	"os"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/check"
	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes"
)

// check is --check: it tries tables, and returns the exit status.
func (opt *options) check(log *logrus.Logger, drivers []maptypes.Driver) int {
	status, err := check.Check(check.Options{
		Dir: config.Dir(opt.configDir), Tables: opt.tables, JSON: opt.json, Drivers: drivers, Out: os.Stdout,
	})
	if err != nil {
		log.Log(logrus.FatalLevel, err)
	}
	return status
}
