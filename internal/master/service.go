package master

import (
	"time"

	"github.com/proxymapd/proxymapd/internal/config"
)

// definition is a master.cf entry ready to be put into service.
type definition struct {
	endpoint
	extName       string        // service name as written in master.cf
	command       string        // as written in master.cf; a worker's argv[0]
	path          string        // what is executed: daemon_directory/command
	extra         []string      // what follows the command in master.cf
	maxProc       int           // process limit, 0 for none
	unprivileged  bool          // workers run as mail_owner
	chroot        bool          // workers run in queue_directory
	stressable    bool          // workers get -o stress=
	wakeup        time.Duration // 0: no wakeups
	wakeupOnUse   bool          // "?": no wakeups before the first worker was started
	throttleDelay time.Duration // service_throttle_time
}

// service is a definition in service. The event loop alone uses it.
type service struct {
	definition

	children  map[int]*child // by process ID; includes stale ones
	available int            // children that can take a client
	listening bool           // the master watches the sockets itself
	removed   bool           // gone from master.cf; waits for its children to end
	condWake  bool           // wakeups wait for the first worker

	throttle   *alarm // non-nil while no worker may be started
	wakeupTick *alarm // next wakeup; nil when there is none

	stressUntil time.Time // workers started before this time get stress=yes
	busyWarned  time.Time // when the last "process limit" warning was logged

	fds *descriptors // what the kernel keeps for this service
}

// child is a worker process.
type child struct {
	pid        int
	generation uint32
	service    *service
	available  bool // can take a client
	stale      bool // its status channel is gone: it does not report any more
	uses       int  // times that it became available again: clients served
}

// define makes a definition of a master.cf entry. Errors name file and line.
func define(entry *config.Service, s *settings, net network) (*definition, error) {
	where, err := newEndpoint(entry, net)
	if err != nil {
		return nil, err
	}
	where.backlog = max(entry.MaxProc, s.processLimit)
	return &definition{
		endpoint:      where,
		extName:       entry.Name,
		command:       entry.Command,
		path:          s.daemonDir + "/" + entry.Command,
		extra:         entry.Args,
		maxProc:       entry.MaxProc,
		unprivileged:  entry.Unprivileged,
		chroot:        entry.Chroot,
		stressable:    !where.localOnly() && entry.MaxProc > 1,
		wakeup:        entry.Wakeup,
		wakeupOnUse:   entry.WakeupOnlyIfUsed,
		throttleDelay: s.throttleTime,
	}, nil
}
