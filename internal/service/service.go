// Package service is what every worker under master(8) has in common: the command line, the inherited descriptors,
// privileges, accepting clients, status messages, and when to leave. It works under Postfix's master as well as under
// ours, and knows nothing of what is served.
//
// A worker inherits (Postfix src/master/master_proto.h)
//
//	3, 4    the mail flow control pipe, which map lookups do not use
//	5       the status channel; it hangs up when the master is gone
//	6 ...   listening sockets, shared with the master and with other workers
//
// and the environment variable GENERATION, in octal, which it repeats in each status message.
//
// The listening sockets live on in the master when a worker leaves: a client in the queue waits for the next worker.
package service

import (
	"context"
	"fmt"
	"net"
	"syscall"

	"os/signal"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
)

// DefaultMaxClients is how many clients a worker serves at the same time when the service does not say.
const DefaultMaxClients = 16384

// Service is what a program does with its clients. All fields but Serve are optional.
type Service struct {
	// Name is the name in the log. The default is the name of the service in master.cf.
	Name string

	// PreJail runs in queue_directory with the privileges that the process was started with, before chroot and the
	// change of user. An error ends the process.
	PreJail func() error

	// PostJail runs after that, before the first client is accepted. An error ends the process.
	PostJail func() error

	// Serve talks to one client until the client leaves. It runs in a goroutine of its own; conn is closed when it
	// returns. When ctx is cancelled the worker has to end: Serve should finish the request that it is working on,
	// and return instead of waiting for another one. A panic costs only this client.
	//
	// A Read of conn waits no longer than ipc_timeout, unless Serve sets a deadline of its own.
	//
	// Conn has two more methods. WaitReadable() error returns when a Read would not wait; a client that is quiet is
	// an error that has a method Quiet() bool. Resume(next func(context.Context)) then has next go on in place of
	// Serve, which returns, when the client is not quiet any more: thousands of quiet clients need no goroutines.
	Serve func(ctx context.Context, conn net.Conn)

	// Exit runs when the last client has gone, before a normal end.
	Exit func()

	// OwnSession makes the process lead a session of its own, so that a signal to master's process group does not
	// reach it, and makes SIGTERM, SIGINT and SIGHUP wait for the requests that are being worked on. Without it these
	// signals end the process at once, as they end Postfix's daemons.
	OwnSession bool

	// MaxClients bounds the clients served at the same time. Further ones are left to other workers. The default is
	// DefaultMaxClients; the limit of open files may make it less.
	MaxClients int
}

// Run does what a worker does from the command line to the end of the process, and returns its exit status: 0, or 1
// after something that has been logged as fatal. The parameters should come from config.Load with opt.Overrides.
func Run(opt Options, p *config.Params, log *logrus.Logger, s Service) int {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ)
	syscall.Umask(0o077)
	if opt.byHand() {
		tellHand(opt.Program)
		return 1
	}
	if err := run(opt, p, log, s); err != nil {
		log.Log(logrus.FatalLevel, err)
		return 1
	}
	return 0
}

func run(opt Options, p *config.Params, log *logrus.Logger, s Service) error {
	set, err := loadSettings(p, s)
	if err != nil {
		return err
	}
	var master *master
	var listeners []listener
	if !opt.Stdio {
		if master, listeners, err = inherit(opt); err != nil {
			return err
		}
		log.Debugf("process generation: %o", master.generation)
	}
	if opt.Debug {
		if err := runDebugger(p, log); err != nil {
			return err
		}
	}
	if err := enterJail(opt, p, log, s); err != nil {
		return err
	}
	if s.Name == "" {
		s.Name = opt.ServiceName
	}
	if opt.Stdio {
		serveStdio(set, log, s)
		return nil
	}
	return newWorker(opt, set, log, s, master, listeners).run()
}

// enterJail gives up what the worker does not need, with the service's own preparations before and after.
func enterJail(opt Options, p *config.Params, log *logrus.Logger, s Service) error {
	jail, err := newJail(opt, p)
	if err != nil {
		return err
	}
	if err := syscall.Chdir(jail.queue); err != nil {
		return fmt.Errorf("chdir(\"%s\"): %w", jail.queue, err)
	}
	if s.PreJail != nil {
		if err := s.PreJail(); err != nil {
			return err
		}
	}
	if s.OwnSession {
		// It fails only when the process leads a group already, which is as good.
		_, _ = syscall.Setsid()
	}
	if err := jail.enter(); err != nil {
		return err
	}
	log.Tracef("chroot %s user %s", jail.rootText(), jail.userText())
	if s.PostJail != nil {
		return s.PostJail()
	}
	return nil
}
