package maptypes

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// reloadPatience is how long a request waits for a changed file to be read
// before it is answered from the old table.
const reloadPatience = 100 * time.Millisecond

// A table that cannot be opened is tried again every retryInterval; if the
// driver knows which files are in the way, when one of them changes, and every
// brokenInterval in case it is not the files.
const (
	retryInterval  = time.Second
	brokenInterval = time.Minute
)

// instance is one generation of an open table.
type instance struct {
	table Table
	layer layer
	flags Flags
	watch watch
	state *State       // only where there may be caches
	users atomic.Int64 // requests in progress, and one for being current
	seen  lastLook     // when the files were found unchanged
}

// retain takes a reference, or reports that the instance is closed.
func (in *instance) retain() bool {
	for {
		n := in.users.Load()
		if n == 0 {
			return false
		}
		if in.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives a reference back; the last one closes the table.
func (in *instance) release() {
	if in.users.Add(-1) == 0 {
		in.table.Close()
	}
}

// outage is why, and since when, there is no instance.
type outage struct {
	reason error
	tried  time.Time
	files  watch
	trying bool // somebody is trying to open the table
}

// over reports whether it is time for another attempt.
func (o *outage) over() bool {
	switch since := time.Since(o.tried); {
	case o.trying:
		return false
	case len(o.files.files) > 0 && since < brokenInterval:
		return o.files.changed()
	default:
		return since >= retryInterval
	}
}

// reload is a load in progress.
type reload struct {
	done  chan struct{}
	start time.Time
}

// openHandle opens a table and puts the layers in front.
func openHandle(env *Env, reg *Registry, spec string, mode Mode, flags Flags) (*Handle, error) {
	h := &Handle{spec: spec, env: env}
	h.open = func() (*instance, watch, error) { return openInstance(env, reg, spec, mode, flags) }
	in, files, err := h.open()
	if err != nil {
		if !env.Daemon {
			return nil, err
		}
		// The reason is logged at once: the first request may be far away.
		env.Errorf("%v", err)
		h.down = outage{reason: err, tried: time.Now(), files: files}
		h.flags.Store(uint32(flags | FlagPattern | FlagSurrogate))
		h.surrogate = true
		return h, nil
	}
	h.publish(in)
	return h, nil
}

// openInstance calls the driver. With an error it returns the files that are to
// blame, as far as the driver knows them.
func openInstance(env *Env, reg *Registry, spec string, mode Mode, flags Flags) (in *instance, files watch, err error) {
	defer func() {
		if p := recover(); p != nil {
			env.Errorf("open %s: stack: %s", spec, debug.Stack())
			in, files, err = nil, watch{}, Configf("open %s: internal error: %v", spec, p)
		}
	}()
	typ, name, err := Split(spec)
	if err != nil {
		return nil, watch{}, err
	}
	d, err := reg.find(typ)
	if err != nil {
		return nil, watch{}, err
	}
	before := time.Now()
	inner := *env
	if env.Cache != nil {
		inner.nested = &nested{}
	}
	o, err := d.Open(&inner, name, mode, flags)
	if o != nil && env.Daemon {
		files = newWatch(o.Watch, o.WatchReplaced)
		// A change between the reading and the stamp shows only because the
		// racy window counts from before the reading.
		files.taken = before
	}
	if err != nil {
		return nil, files, err
	}
	in = newInstance(env, o, spec, flags, files)
	if env.Cache != nil {
		in.state = newState(files, inner.nested)
		if mode == ReadOnly {
			in.cache(env, spec)
		}
	}
	return in, files, nil
}

// cache puts a cache in front of the table, if there is to be one.
func (in *instance) cache(env *Env, spec string) {
	if t := env.Cache(env, spec, in.table, in.state); t != nil {
		in.table = t
	}
}

// newInstance puts the layers in front of what a driver opened.
func newInstance(env *Env, o *Opened, spec string, flags Flags, files watch) *instance {
	label := o.Label
	if label == "" {
		label = spec
	}
	in := &instance{table: o.Table, layer: newLayer(env, label, flags, o.Fold), flags: o.Flags, watch: files}
	// A table that is safe for several writers needs no lock for as long as
	// it is open.
	if in.flags&FlagOpenLock != 0 && in.flags&FlagMultiWriter != 0 {
		in.flags = in.flags&^FlagOpenLock | FlagLock
	}
	if env.UTF8 && flags&FlagUTF8Request != 0 {
		in.flags |= FlagUTF8Active
	}
	in.users.Store(1)
	return in
}

// publish makes in the current instance; the old one is closed when its last
// request is done.
func (h *Handle) publish(in *instance) {
	if h.cur.Load() == nil {
		h.flags.Store(uint32(in.flags))
	}
	if old := h.cur.Swap(in); old != nil {
		old.release()
	}
}

// acquire returns the instance that a request uses, after looking whether its
// files have changed. The caller releases it.
func (h *Handle) acquire(ctx context.Context) (*instance, error) {
	for {
		in := h.cur.Load()
		if in == nil {
			if err := h.recover(); err != nil {
				return nil, err
			}
			continue
		}
		if len(in.watch.files) > 0 && in.seen.changed(&in.watch, h.env.LookInterval) {
			h.refresh(ctx, in)
			if t := TraceOf(ctx); t != nil {
				t.Result(reloaded(in != h.cur.Load()), "a file of the table has changed")
			}
			in = h.cur.Load()
		}
		if in.retain() {
			return in, nil
		}
	}
}

func reloaded(done bool) string {
	if done {
		return "reloaded"
	}
	return "the earlier version answers"
}

// recover tries to open a table that could not be opened before, when it is time
// to, and returns why there is still none. One caller tries; the others do not
// wait.
func (h *Handle) recover() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cur.Load() != nil {
		return nil
	}
	if h.down.over() && h.reopen() {
		return nil
	}
	return Retryf("%s is unavailable. %w", h.spec, h.down.reason)
}

// reopen opens the table with h.mu released meanwhile, and reports success.
func (h *Handle) reopen() bool {
	h.down.trying = true
	h.mu.Unlock()
	in, files, err := h.open()
	h.mu.Lock()
	if err != nil {
		h.down = outage{reason: err, tried: time.Now(), files: files}
		return false
	}
	h.down = outage{}
	h.publish(in)
	h.env.Infof("%s is available", h.spec)
	return true
}

// refresh loads the table anew beside the old instance, and waits for it for no
// longer than reloadPatience or ctx. One load runs at a time.
func (h *Handle) refresh(ctx context.Context, old *instance) {
	h.mu.Lock()
	rl := h.reload
	if rl == nil {
		now := newWatchFrom(&old.watch)
		if h.cur.Load() != old || h.failed.same(&now) && time.Since(h.failed.taken) < time.Minute {
			h.mu.Unlock()
			return
		}
		rl = &reload{done: make(chan struct{}), start: time.Now()}
		h.reload = rl
		go h.load(rl, now)
	}
	h.mu.Unlock()
	wait := time.NewTimer(reloadPatience - time.Since(rl.start))
	defer wait.Stop()
	select {
	case <-rl.done:
	case <-wait.C:
	case <-ctx.Done():
	}
}

// load opens the table anew and publishes it. A file that cannot be loaded
// leaves the old table in service, and is not tried again before it changes or
// a minute has passed.
func (h *Handle) load(rl *reload, now watch) {
	in, _, err := h.open()
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		if !h.failed.same(&now) {
			h.env.Warnf("table %s has changed, but the new version cannot be used: %v -- keeping the old one", h.spec, err)
		}
		now.taken = time.Now()
		h.failed = now
	} else {
		h.failed = watch{}
		h.publish(in)
		h.env.Infof("table %s has changed -- reloaded", h.spec)
	}
	h.reload = nil
	close(rl.done)
}

// newWatchFrom returns the present state of the files that w names.
func newWatchFrom(w *watch) watch {
	now := watch{replacedOnly: w.replacedOnly, taken: time.Now()}
	now.files = append(now.files, w.files...)
	for i := range now.files {
		now.files[i].read()
	}
	return now
}
