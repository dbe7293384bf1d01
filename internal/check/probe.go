package check

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes"
)

// patience is how long one table may take for its answer, and how much more before it is left alone.
const (
	patience = 10 * time.Second
	grace    = 5 * time.Second
)

// job is a table to be tried.
type job struct {
	traits
	Spec string // type:name without proxy:
	List bool   // a /file/name of a list
}

// result is what was found.
type result struct {
	Findings []Finding
	Sample   *Sample
	Denied   bool // for lack of permission

	server string // what the table asks, as far as it tells tables apart
	mute   bool   // it did not say why it cannot answer
}

// prober tries tables.
type prober struct {
	params   *config.Params
	registry *maptypes.Registry
	clients  map[string]*maptypes.Registry // by type: that type alone, because the tables in its settings are tried by themselves
}

func newProber(params *config.Params, drivers []maptypes.Driver) *prober {
	drivers = append(slices.Clone(drivers), direct)
	p := &prober{params: params, registry: maptypes.NewRegistry(drivers...), clients: map[string]*maptypes.Registry{}}
	for typ := range isClient {
		alone := slices.Clone(drivers)
		for i := range alone {
			if alone[i].Type != typ && alone[i].LeftOut == "" {
				alone[i] = empty(alone[i].Type)
			}
		}
		p.clients[typ] = maptypes.NewRegistry(alone...)
	}
	return p
}

// empty is a stand-in for a map type: its tables are there, and empty.
func empty(typ string) maptypes.Driver {
	return maptypes.Driver{
		Type: typ,
		Open: func(_ *maptypes.Env, _ string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
			return &maptypes.Opened{Table: emptyTable{}, Flags: flags | maptypes.FlagPattern}, nil
		},
	}
}

type emptyTable struct{}

func (emptyTable) Lookup(context.Context, *maptypes.Request) ([]byte, error) {
	return nil, maptypes.ErrNotFound
}

func (emptyTable) Close() error { return nil }

// direct is the proxy: type as it is within a service, which is what is tried here: the table itself.
var direct = maptypes.Driver{
	Type: "proxy",
	Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		h, err := env.Open(stripProxy(name), mode, flags)
		if err != nil {
			return nil, err
		}
		return &maptypes.Opened{Table: h, Flags: h.Flags(), Label: h.Spec()}, nil
	},
}

// probe tries a table, and gives up on it after a time.
func (p *prober) probe(j job) result {
	done := make(chan result, 1)
	go func() {
		t := trial{prober: p, job: j}
		t.run()
		done <- t.result
	}()
	select {
	case r := <-done:
		return r
	case <-time.After(patience + grace):
		return result{Findings: []Finding{newFinding(kindLookup, "no answer in "+(patience+grace).String())}}
	}
}

// trial is one table being tried.
type trial struct {
	*prober
	job
	result
	typ, name string

	mu    sync.Mutex
	asked bool // the table is open, and was asked something
}

// find adds a finding.
func (t *trial) find(f Finding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.ContainsFunc(t.Findings, func(old Finding) bool { return strings.Contains(old.Text, f.Text) }) {
		t.Findings = append(t.Findings, f)
	}
}

// warn takes in a warning of the table.
func (t *trial) warn(text string) {
	t.mu.Lock()
	asked := t.asked
	t.mu.Unlock()
	t.find(warned(t.redact(text), asked))
}

// quoted is text between quotes.
var quoted = regexp.MustCompile(`"[^"]*"|'.*'`)

// redact leaves out what a message quotes from a table that may hold credentials.
func (t *trial) redact(text string) string {
	if !t.secret() {
		return text
	}
	return quoted.ReplaceAllString(text, "(not shown)")
}

// secret reports whether the table may hold credentials.
func (t *trial) secret() bool { return t.Secret || soundsSecret(t.Spec) }

func (t *trial) run() {
	if t.List {
		t.tryList()
		return
	}
	t.typ, t.name, _ = maptypes.Split(t.Spec)
	missing := t.checkIndex()
	if missing && t.Write {
		t.tryDirectory()
		return
	}
	registry := t.clients[t.typ]
	if registry == nil {
		registry = t.registry
	}
	h, err := registry.Open(newEnv(t.params, registry, t.warn), t.Spec, maptypes.ReadOnly, t.flags())
	if err != nil {
		t.openFailed(err)
		return
	}
	defer h.Close()
	if t.Write && indexSuffix[t.typ] != "" {
		// Whoever uses it may hold a lock on it, and its entries are nobody's business.
		if reason := denied(t.file(), unix.W_OK); reason != "" {
			t.Denied = true
			t.find(newFinding(kindFile, reason))
		}
		return
	}
	t.mu.Lock()
	t.asked = true
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	t.ask(ctx, h)
}

// flags are those with which most programs open tables.
func (t *trial) flags() maptypes.Flags {
	flags := maptypes.FlagFoldFix | maptypes.FlagUTF8Request
	if !t.Write {
		flags |= maptypes.FlagLock
	}
	if t.Files {
		flags |= maptypes.FlagSrcRHSIsFile
	}
	return flags
}

// openFailed notes why a table cannot be opened.
func (t *trial) openFailed(err error) {
	text := err.Error()
	switch {
	case strings.HasPrefix(text, "unsupported dictionary type"):
		t.find(newFinding(kindType, text))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR):
		t.Denied = errors.Is(err, fs.ErrPermission)
		t.find(newFinding(kindFile, text+t.explain(text, err)))
	case maptypes.Class(err) == maptypes.ErrConfig:
		t.find(newFinding(kindSyntax, text))
	default:
		t.find(newFinding(kindFile, text))
	}
}

// explain says more about a file that cannot be opened: which component of its path is in the way, or how to make it.
func (t *trial) explain(text string, err error) string {
	if errors.Is(err, fs.ErrNotExist) && t.file() != t.name && t.file() != "" {
		if _, err := os.Stat(t.name); err == nil {
			return t.rebuild()
		}
	}
	for _, path := range append(pathsIn(text), t.file()) {
		if path == "" {
			continue
		}
		reason := denied(path, unix.R_OK)
		if reason != "" && reason != "there is no "+path {
			return ": " + reason
		}
	}
	return ""
}

// rebuild says how an index is made from its source.
func (t *trial) rebuild() string {
	if t.Alias {
		return "; run: postalias " + t.Spec
	}
	return "; run: postmap " + t.Spec
}

// tryList tries to read a file that is a part of a list.
func (t *trial) tryList() {
	f, err := os.Open(t.Spec)
	if err == nil {
		f.Close()
		return
	}
	t.openFailed(&listError{t.Spec, maptypes.SystemError(err)})
}

// listError is the text for a list that cannot be read.
type listError struct {
	path string
	err  error
}

func (e *listError) Error() string { return "open file " + e.path + ": " + e.err.Error() }
func (e *listError) Unwrap() error { return e.err }

// tryDirectory tells whether a table that is made when it is needed can be made.
func (t *trial) tryDirectory() {
	if reason := denied(filepath.Dir(t.file()), unix.W_OK); reason != "" {
		t.Denied = !strings.HasPrefix(reason, "there is no")
		t.find(newFinding(kindFile, reason))
	}
}
