package master

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// owner is the mail_owner: local endpoints belong to this user.
type owner struct{ uid, gid int }

// do executes f with the owner's effective user and group, and no other groups,
// when the process runs as root; otherwise the process is the owner already.
//
// Directories like private/ belong to the owner. Were root to work there, then
// a compromised mail system could use links to have other files changed.
// Credentials are changed for one thread only, so nothing else in the process
// is affected.
func (o owner) do(f func() error) error {
	if os.Geteuid() != 0 {
		return f()
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := o.asThread(f)
		if err == errCredentials {
			// The goroutine ends with the thread locked: the runtime
			// discards the thread with its odd credentials.
			result <- fmt.Errorf("take back root privileges: %w", err)
			return
		}
		runtime.UnlockOSThread()
		result <- err
	}()
	return <-result
}

var errCredentials = fmt.Errorf("cannot restore thread credentials")

// asThread changes the credentials of the calling thread, which must be locked,
// executes f and changes them back.
func (o owner) asThread(f func() error) error {
	groups, err := unix.Getgroups()
	if err != nil {
		return &osError{"getgroups", err}
	}
	gid := os.Getegid()
	if err := threadCredentials(o.uid, o.gid, []int{o.gid}); err != nil {
		if threadCredentials(0, gid, groups) != nil {
			return errCredentials
		}
		return err
	}
	err = f()
	if threadCredentials(0, gid, groups) != nil {
		return errCredentials
	}
	return err
}

// threadCredentials sets the effective user and group and the supplementary
// groups of the calling thread. The system calls are raw ones, because those of
// package syscall act on all threads.
func threadCredentials(uid, gid int, groups []int) error {
	const keep = ^uintptr(0)
	if uid == 0 {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, 0, keep); errno != 0 {
			return &osError{"seteuid", errno}
		}
	}
	if err := threadGroups(groups); err != nil {
		return err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, keep, uintptr(gid), keep); errno != 0 {
		return &osError{"setegid", errno}
	}
	if uid != 0 {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
			return &osError{"seteuid", errno}
		}
	}
	return nil
}
