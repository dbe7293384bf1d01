package service

import (
	"errors"
	"os/exec"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
)

// runDebugger runs debugger_command, which names this process by $process_id, and waits for it as system(3) does. A
// debugger that is to stay has to put itself in the background.
func runDebugger(p *config.Params, log logrus.FieldLogger) error {
	command, err := p.String("debugger_command")
	if err != nil {
		return err
	}
	if command == "" {
		return errors.New("no debugger_command variable set up")
	}
	log.Infof("running: %s", command)
	if err := exec.Command("/bin/sh", "-c", command).Run(); err != nil {
		log.Debugf("debugger_command: %v", err)
	}
	return nil
}
