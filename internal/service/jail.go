package service

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"syscall"

	"github.com/proxymapd/proxymapd/internal/config"
)

// jail is what -c and -u ask for.
type jail struct {
	queue  string // queue_directory
	chroot bool
	name   string // of mail_owner; "": stay who we are
	uid    int
	gid    int
	groups []int
}

// newJail looks up the user now: there may be no user database in the jail.
func newJail(opt Options, p *config.Params) (*jail, error) {
	queue, err := p.String("queue_directory")
	if err != nil {
		return nil, err
	}
	j := &jail{queue: queue, chroot: opt.Chroot}
	if !opt.Unprivileged {
		return j, nil
	}
	if j.name, err = p.String("mail_owner"); err != nil {
		return nil, err
	}
	return j, j.lookup()
}

func (j *jail) lookup() error {
	u, err := user.Lookup(j.name)
	if err != nil {
		if errors.As(err, new(user.UnknownUserError)) {
			return fmt.Errorf("unknown user: %s", j.name)
		}
		return fmt.Errorf("look up user %s: %w", j.name, err)
	}
	names, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("look up the groups of user %s: %w", j.name, err)
	}
	ids := []*int{&j.uid, &j.gid}
	for i, text := range append([]string{u.Uid, u.Gid}, names...) {
		id, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("user %s: %w", j.name, err)
		}
		if i < len(ids) {
			*ids[i] = id
		} else {
			j.groups = append(j.groups, id)
		}
	}
	return nil
}

// enter drops the privileges, of all threads of the process. The order is Postfix's: groups, root directory, user.
func (j *jail) enter() error {
	drop := j.name != "" && !j.alreadyOwner()
	if drop {
		if err := syscall.Setgid(j.gid); err != nil {
			return fmt.Errorf("setgid(%d): %w", j.gid, err)
		}
		if err := syscall.Setgroups(j.groups); err != nil {
			return fmt.Errorf("initgroups: %w", err)
		}
	}
	if j.chroot {
		if err := syscall.Chroot(j.queue); err != nil {
			return fmt.Errorf("chroot(%s): %w", j.queue, err)
		}
		if err := syscall.Chdir("/"); err != nil {
			return fmt.Errorf("chdir(/): %w", err)
		}
	}
	if drop {
		if err := syscall.Setuid(j.uid); err != nil {
			return fmt.Errorf("setuid(%d): %w", j.uid, err)
		}
	}
	return nil
}

// alreadyOwner reports whether an ordinary user runs the mail system as himself; he may not call setgroups(2).
func (j *jail) alreadyOwner() bool {
	return j.uid != 0 && syscall.Getuid() == j.uid && syscall.Geteuid() == j.uid && syscall.Getgid() == j.gid &&
		syscall.Getegid() == j.gid
}

func (j *jail) rootText() string {
	if j.chroot {
		return j.queue
	}
	return "(none)"
}

func (j *jail) userText() string {
	if j.name != "" {
		return j.name
	}
	return "(none)"
}
