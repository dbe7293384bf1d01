package master

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dieAfter is when a master that got a fatal signal ends, whatever holds it up.
const dieAfter = 5 * time.Second

// handleSignals turns signals into events. Each kind has a channel of its own, so
// that none is lost in a flood of another.
func (p *process) handleSignals() {
	hup, child, fatal := make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(hup, unix.SIGHUP)
	signal.Notify(child, unix.SIGCHLD)
	signal.Notify(fatal, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	go func() {
		for {
			select {
			case <-hup:
				p.m.post(p.reload)
			case <-child:
				p.m.post(p.m.reap)
			case sig := <-fatal:
				time.AfterFunc(dieAfter, func() { p.die(sig) })
				p.m.post(func() { p.terminate(sig) })
				return
			}
		}
	}()
}

// terminate ends the mail system: all processes in the master's group get a
// SIGTERM. Workers that write to tables lead sessions of their own, so that they
// are not cut short; they notice that the status channel is gone and leave.
func (p *process) terminate(sig os.Signal) {
	pid := os.Getpid()
	switch {
	case p.options.Init:
		unix.Kill(-1, unix.SIGTERM)
	case unix.Getpgrp() == pid:
		unix.Kill(-pid, unix.SIGTERM)
	default:
		// In the foreground, the group may be that of the process that has
		// started us, and not ours to kill.
		p.terminateWorkers()
	}
	number, _ := sig.(syscall.Signal)
	p.log.Infof("terminating on signal %d", int(number))
	p.die(sig)
}

// terminateWorkers sends a SIGTERM to the workers in the master's process group.
func (p *process) terminateWorkers() {
	for pid := range p.m.children {
		if group, err := unix.Getpgid(pid); err == nil && group == unix.Getpgrp() {
			p.m.sys.Terminate(pid)
		}
	}
}

// die ends this process the way that the signal would have, without a handler.
// Process 1 cannot be killed by a signal that it does not handle.
func (p *process) die(sig os.Signal) {
	if p.options.Init || os.Getpid() == 1 {
		os.Exit(0)
	}
	if sig == unix.SIGQUIT {
		os.Exit(128 + int(unix.SIGQUIT)) // by default, Go programs dump their stacks
	}
	signal.Reset(sig)
	if number, ok := sig.(syscall.Signal); ok {
		unix.Kill(os.Getpid(), number)
		time.Sleep(time.Second)
	}
	os.Exit(1)
}
