package postmap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
)

// heapGrowth is how many percent the heap may grow until the next garbage
// collection. What a build keeps in memory is an index without pointers: it costs
// the collector nothing to look at it more often, and keeps the process small.
const heapGrowth = 50

// build makes each table anew from the source file of its name.
func (p *program) build() error {
	debug.SetGCPercent(heapGrowth)
	for _, operand := range p.tables {
		typ, name := p.split(operand)
		if err := p.buildTable(typ, name); err != nil {
			return err
		}
	}
	return nil
}

// buildTable makes one table. An interrupt, and any error, leaves the old one as
// it was.
func (p *program) buildTable(typ, name string) error {
	if typ == proxyType {
		return errors.New("can't create maps via the proxy service")
	}
	src, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, maptypes.SystemError(err))
	}
	defer src.Close()
	restore, err := p.matchSource(src)
	if err != nil {
		return err
	}
	p.log.Debugf("open %s %s", typ, name)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	signals := catchSignals(func() {
		cancel()
		src.Close() // a read from a pipe must end, too
	})
	b, err := p.create(typ, name)
	restore()
	if err == nil {
		defer b.Abort()
		err = p.fill(ctx, b, src, name)
	}
	if err == nil && signals.caught() == nil {
		err = b.Commit()
	}
	if cause := signals.stop(); cause != nil {
		return cause
	}
	return err
}

// fill puts the entries of a source into a table, so that only Commit is left.
func (p *program) fill(ctx context.Context, b *maptypes.Build, src *os.File, name string) error {
	shown, end := p.showProgress(src, name)
	defer end()
	err := p.readSource(shown.reader(src), name, b.Flags()|maptypes.FlagFixed, func(r *maptypes.Request) error {
		return b.Add(ctx, r)
	})
	if err != nil {
		return err
	}
	shown.read()
	return b.Finish(ctx)
}

// create begins a table.
func (p *program) create(typ, name string) (*maptypes.Build, error) {
	flags := p.flags | maptypes.FlagBulkUpdate
	if p.env.UTF8 && flags&maptypes.FlagUTF8Request != 0 {
		flags |= maptypes.FlagUTF8Active
	}
	b, err := p.env.Registry.Create(p.env, typ+":"+name, flags)
	if err != nil {
		return nil, p.mapTypeError(typ, err)
	}
	return b, nil
}

// mapTypeError words the error of a type that does not exist as Postfix does for
// tables that are made or updated: a map type, not a dictionary type.
func (p *program) mapTypeError(typ string, err error) error {
	if slices.Contains(p.env.Registry.Types(), typ) {
		return err
	}
	if typ == "" {
		return errors.New("unsupported map type: ")
	}
	return errors.New(strings.Replace(err.Error(), "unsupported dictionary type", "unsupported map type", 1))
}

// matchSource prepares the process for making a table that belongs to the owner of
// the source file and has its permissions. The function that it returns undoes
// the latter.
func (p *program) matchSource(src *os.File) (restore func(), err error) {
	info, err := src.Stat()
	if err != nil {
		return nil, fmt.Errorf("fstat %s: %w", src.Name(), maptypes.SystemError(err))
	}
	restore = func() {}
	if !p.plainMode && info.Mode().IsRegular() {
		saved := syscall.Umask(0o022 | ^int(info.Mode().Perm())&0o077)
		restore = func() { syscall.Umask(saved) }
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || p.asSelf || os.Getuid() != 0 || int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid() {
		return restore, nil
	}
	if err := becomeUser(int(st.Uid), int(st.Gid)); err != nil {
		restore()
		return nil, err
	}
	p.log.Debugf("set_eugid: euid %d egid %d", st.Uid, st.Gid)
	return restore, nil
}

// becomeUser changes the effective user and groups of all threads; 0 leads back.
func becomeUser(uid, gid int) error {
	if os.Geteuid() != 0 {
		if err := syscall.Seteuid(0); err != nil {
			return fmt.Errorf("set_eugid: seteuid(0): %w", maptypes.SystemError(err))
		}
	}
	if err := syscall.Setegid(gid); err != nil {
		return fmt.Errorf("set_eugid: setegid(%d): %w", gid, maptypes.SystemError(err))
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("set_eugid: setgroups(%d): %w", gid, maptypes.SystemError(err))
	}
	if uid == 0 {
		return nil
	}
	if err := syscall.Seteuid(uid); err != nil {
		return fmt.Errorf("set_eugid: seteuid(%d): %w", uid, maptypes.SystemError(err))
	}
	return nil
}
