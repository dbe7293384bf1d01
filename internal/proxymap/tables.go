package proxymap

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/proxymapd/proxymapd/maptypes"
)

// instanceFlags are the flags of an open that can make one instance of a table
// differ from another. Clients whose flags differ only in others share one.
const instanceFlags = maptypes.FlagDupWarn | maptypes.FlagDupIgnore |
	maptypes.FlagTry0Null | maptypes.FlagTry1Null | maptypes.FlagDupReplace |
	maptypes.FlagNoRegsub | maptypes.FlagNoProxy | maptypes.FlagNoUnauth |
	maptypes.FlagFoldFix | maptypes.FlagFoldMul | maptypes.FlagLock |
	maptypes.FlagOpenLock | maptypes.FlagBulkUpdate |
	maptypes.FlagUTF8Request | maptypes.FlagSrcRHSIsFile

// maxInstances bounds how many instances of one table clients can make the
// worker open by asking with ever different flags. Postfix's own programs use
// three or four.
const maxInstances = 64

// tableKey names one instance.
type tableKey struct {
	name  string
	flags maptypes.Flags
}

// table is one instance, opened by the first client that asks for it while the
// others wait.
type table struct {
	once   sync.Once
	handle *maptypes.Handle
	err    error
}

// tables are the open tables of a worker, one instance per name and instance
// flags. They stay open until the worker ends.
type tables struct {
	env  *maptypes.Env
	mode maptypes.Mode

	index atomic.Pointer[map[tableKey]*table] // read without a lock, replaced under mu
	mu    sync.Mutex
	count map[string]int // instances by name
}

func newTables(env *maptypes.Env, writer bool) *tables {
	ts := &tables{env: env, count: map[string]int{}}
	if writer {
		ts.mode = maptypes.Create
	}
	ts.index.Store(&map[tableKey]*table{})
	return ts
}

// get returns the instance of an approved table, and nil if there are too many.
func (ts *tables) get(name string, flags maptypes.Flags) (*maptypes.Handle, error) {
	key := tableKey{name, flags & instanceFlags}
	t := (*ts.index.Load())[key]
	if t == nil {
		if t = ts.add(key); t == nil {
			return nil, maptypes.Configf("table %s: clients ask for more than %d combinations of flags", name, maxInstances)
		}
	}
	t.once.Do(func() { t.handle, t.err = ts.env.Open(name, ts.mode, key.flags) })
	return t.handle, t.err
}

// add makes a place for an instance, or returns nil if its table has too many.
func (ts *tables) add(key tableKey) *table {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	old := *ts.index.Load()
	if t := old[key]; t != nil {
		return t
	}
	if ts.count[key.name] >= maxInstances {
		return nil
	}
	ts.count[key.name]++
	t := &table{}
	next := maps.Clone(old)
	next[key] = t
	ts.index.Store(&next)
	return t
}

// close closes all tables. No request may be in progress.
func (ts *tables) close() {
	for _, t := range *ts.index.Load() {
		if t.handle != nil {
			t.handle.Close()
		}
	}
}
