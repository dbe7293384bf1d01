// Package master is the supervisor: the part of a Postfix-compatible mail
// system that owns the service endpoints named in master.cf, starts a worker
// process when a client shows up and no idle worker is left, and keeps count of
// the workers through the status messages they send. The behaviour is that of
// Postfix's master(8); see also master(5) and the comments in proto.go for the
// contract between master and worker.
//
// There is one goroutine, the event loop of a supervisor, that owns every piece
// of state and takes every decision. It is driven by events: a listening socket
// became readable, a status message arrived, a child ended, a timer expired, a
// signal came. Everything that touches the operating system is behind the small
// interface system, so that the decisions are tested in virtual time with
// scripted children; type kernel is the real thing.
//
//	endpoint.go, interfaces.go  what a master.cf line listens on
//	service.go, args.go         one service, and the command line of its workers
//	supervisor.go               event loop, services, timers
//	avail.go, stress.go         when to watch a socket, when to start a worker
//	spawn.go, throttle.go       starting workers, and not starting them for a while
//	status.go, reap.go          what workers report, and how they end
//	wakeup.go, trigger.go       periodic wakeups
//	configure.go, reload.go, settings.go
//	                            configuration, at start and at SIGHUP
//	kernel.go, listen.go, channel.go, watch.go, flow.go, process.go, owner.go
//	                            the operating system's part
//	run.go, daemon.go, lock.go, signals.go, environ.go
//	                            the process around it: Run is the way in
//
// The package uses Linux system calls directly (per-thread credentials,
// SOCK_SEQPACKET socket pairs) and builds on Linux only.
package master
