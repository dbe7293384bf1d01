package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/maillog"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Sample is one answer of a table.
type Sample struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Found  bool   `json:"found"`
	Hidden bool   `json:"hidden,omitempty"` // there is a value, which may be a credential
}

// maxShown is how much of a sample is shown, in bytes.
const maxShown = 80

// newEnv returns the environment of a table in which all that the table says goes to warn.
func newEnv(params *config.Params, registry *maptypes.Registry, warn func(text string)) *maptypes.Env {
	utf8, err := params.Bool("smtputf8_enable")
	logf := func(format string, args ...any) { warn(fmt.Sprintf(format, args...)) }
	return &maptypes.Env{
		Registry: registry,
		Param: func(name string) (string, bool) {
			value, err := params.String(name)
			_, known := params.Raw(name)
			return value, known && err == nil
		},
		Infof:  func(string, ...any) {},
		Warnf:  logf,
		Errorf: logf,
		UTF8:   utf8 && err == nil,
	}
}

// ask looks up a key that is in no table, which shows whether the table can answer, and takes the first entry of a table
// that can be listed.
func (t *trial) ask(ctx context.Context, h *maptypes.Handle) {
	t.server = t.serverName()
	r := &maptypes.Request{Key: []byte(t.harmlessKey()), Flags: h.Flags()}
	value, err := h.Lookup(ctx, r)
	switch {
	case maptypes.Class(err) == maptypes.ErrNotFound:
		t.Sample = &Sample{Key: string(r.Key)}
	case err == nil:
		t.Sample = t.sample(r.Key, value)
	case t.typ == "fail":
		return // which is what it is for
	default:
		t.lookupFailed(err)
		return
	}
	if isClient[t.typ] || t.typ == "proxy" {
		return
	}
	key, value, err := t.firstEntry(ctx, h)
	switch {
	case err == nil:
		t.Sample = t.sample(key, value)
	case maptypes.Class(err) == maptypes.ErrNotFound, strings.HasSuffix(err.Error(), "sequence operation is not supported"):
	default:
		t.lookupFailed(err)
	}
}

// firstEntry returns the first entry that is no bookkeeping.
func (t *trial) firstEntry(ctx context.Context, h *maptypes.Handle) (key, value []byte, err error) {
	r := &maptypes.Request{Flags: h.Flags()}
	var c maptypes.Cursor
	for {
		key, value, err = h.Sequence(ctx, r, &c)
		if err != nil || !t.Alias || string(key) != "@" && !strings.HasPrefix(string(key), "YP_") {
			return key, value, err
		}
	}
}

// lookupFailed notes why a table cannot answer.
func (t *trial) lookupFailed(err error) {
	text := maptypes.Reason(err)
	if text != "" {
		t.find(newFinding(kindLookup, text))
		return
	}
	if t.mute = len(t.Findings) == 0; t.mute {
		t.find(newFinding(kindLookup, err.Error()))
	}
}

// sample makes an answer fit to be shown.
func (t *trial) sample(key, value []byte) *Sample {
	s := &Sample{Key: shown(key), Found: true}
	if t.secret() || strings.Contains(string(value), "PRIVATE KEY") {
		s.Hidden = true
	} else {
		s.Value = shown(value)
	}
	return s
}

func shown(text []byte) string {
	if len(text) > maxShown {
		return maillog.Printable(string(text[:maxShown])) + "..."
	}
	return maillog.Printable(string(text))
}

// Parts of a key that no table has. Its domain has labels enough for any template.
const (
	harmlessUser   = "postmap-check"
	harmlessDomain = "postmap.check.example.invalid"
)

// harmlessKey returns a key that is in no table, and with which a server is asked nevertheless: in a domain that the
// table has entries for.
func (t *trial) harmlessKey() string {
	if t.typ == "cidr" {
		return "192.0.2.1"
	}
	if isClient[t.typ] {
		settings, err := tablecf.Load(newEnv(t.params, t.registry, func(string) {}), t.name)
		if err != nil {
			return harmlessUser
		}
		for _, word := range textfile.SplitBraceList(settings.String("domain", "")) {
			if !strings.ContainsAny(word, ":/!{") {
				return harmlessUser + "@" + word
			}
		}
	}
	return harmlessUser + "@" + harmlessDomain
}
