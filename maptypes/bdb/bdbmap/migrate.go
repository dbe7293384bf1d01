package bdbmap

import (
	"context"
	"slices"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bdb"
)

// The levels of non_bdb_migration_level.
const (
	levelDisable  = "disable"         // use Berkeley DB
	levelWarn     = "warn"            // use it, as far as the build can, and say so
	levelRedirect = "enable-redirect" // use another type of table in its place
	levelReindex  = "enable-reindex"  // likewise, and have the tables made
)

// migration is what becomes of one table.
type migration struct {
	env   *maptypes.Env
	kind  bdb.Kind
	name  string
	level string
}

func newMigration(env *maptypes.Env, kind bdb.Kind, name string) (*migration, error) {
	m := &migration{env: env, kind: kind, name: name, level: param(env, "non_bdb_migration_level", levelDisable)}
	if !slices.Contains([]string{levelDisable, levelWarn, levelRedirect, levelReindex}, m.level) {
		return nil, maptypes.Configf("invalid non-Berkeley-DB migration level: '%s'", m.level)
	}
	return m, nil
}

// redirects reports whether another table is used, to read or also to write.
func (m *migration) redirects(write bool) bool {
	return m.level == levelRedirect || m.level == levelReindex || m.level == levelWarn && write && !CanWrite
}

// advise tells the administrator what to do about a table, at the level for
// that.
func (m *migration) advise() {
	if m.level == levelWarn {
		m.env.Warnf("%s:%s is a Berkeley DB table; to move on, run \"postmap %s:%s\" and use %[3]s:%[2]s instead",
			m.kind, m.name, instead, m.name)
	}
}

// open opens the table that is used instead.
func (m *migration) open(mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	typ, err := m.target()
	if err != nil {
		return nil, err
	}
	m.announce(typ)
	if m.level == levelReindex && mode != maptypes.Create {
		if err := m.reindex(typ); err != nil {
			return nil, err
		}
	}
	h, err := m.env.Open(typ+":"+m.name, mode, flags)
	if err != nil {
		return nil, err
	}
	return &maptypes.Opened{Table: h, Flags: h.Flags(), Label: h.Label()}, nil
}

// create begins to make the table that is used instead.
func (m *migration) create(flags maptypes.Flags) (maptypes.Builder, error) {
	typ, err := m.target()
	if err != nil {
		return nil, err
	}
	m.announce(typ)
	return m.env.Registry.Create(m.env, typ+":"+m.name, flags)
}

// announce logs what is used instead.
func (m *migration) announce(typ string) {
	switch {
	case m.level == levelWarn:
		m.env.Warnf("this build cannot write %s:%s; using %s:%s", m.kind, m.name, typ, m.name)
	case param(m.env, "non_bdb_migration_log_redirect", "yes") != "no":
		m.env.Infof("redirecting %s:%s to %s:%s", m.kind, m.name, typ, m.name)
	}
}

// target returns the type that is used instead.
func (m *migration) target() (string, error) {
	typ, err := m.custom()
	if err != nil {
		return "", err
	}
	if typ == "" {
		typ = m.defaultTarget()
	}
	switch {
	case !allAlnum(typ):
		return "", m.mappingError("bad non-legacy database type syntax: '%s'", typ)
	case typ == bdb.Hash.String() || typ == bdb.Btree.String():
		return "", m.mappingError("mapping from '%s' to legacy type '%s'", m.kind, typ)
	case !slices.Contains(m.env.Registry.Types(), typ):
		return "", m.mappingError("mapping to unsupported database type: '%s'", typ)
	}
	return typ, nil
}

// defaultTarget returns the type for tables without a mapping of their own. At
// the level warn nobody has chosen one, perhaps.
func (m *migration) defaultTarget() string {
	name, otherwise := "default_database_type", bdb.Hash.String()
	if m.kind == bdb.Btree {
		name, otherwise = "default_cache_db_type", bdb.Btree.String()
	}
	typ := param(m.env, name, otherwise)
	if m.level == levelWarn && (typ == bdb.Hash.String() || typ == bdb.Btree.String()) {
		return instead
	}
	return typ
}

// custom returns what the table non_bdb_custom_mapping has for this table or for
// its type, or "".
func (m *migration) custom() (string, error) {
	spec := param(m.env, "non_bdb_custom_mapping", "")
	if spec == "" {
		return "", nil
	}
	if typ, _, err := maptypes.Split(spec); err == nil && (typ == bdb.Hash.String() || typ == bdb.Btree.String()) {
		return "", m.mappingError("non_bdb_custom_mapping must not use legacy type: '%s'", typ)
	}
	h, err := m.env.Open(spec, maptypes.ReadOnly, maptypes.FlagLock|maptypes.FlagFoldFix|maptypes.FlagUTF8Request)
	if err != nil {
		return "", m.mappingError("%w", err)
	}
	defer h.Close()
	for _, key := range []string{m.kind.String() + ":" + m.name, m.kind.String()} {
		r := &maptypes.Request{Key: []byte(key), Flags: h.Flags()}
		value, err := h.Lookup(context.Background(), r)
		if err == nil {
			return string(value), nil
		}
		if err != maptypes.ErrNotFound {
			return "", m.mappingError("%s lookup error for '%s': %w", spec, key, err)
		}
	}
	return "", nil
}

func (m *migration) mappingError(format string, args ...any) error {
	args = append([]any{m.kind, m.name}, args...)
	return maptypes.Configf("Berkeley DB type mapping lookup error for '%s:%s': "+format, args...)
}

// allAlnum reports whether a text consists of letters and digits, and is not
// empty.
func allAlnum(text string) bool {
	for i := range len(text) {
		if c := text[i] | 0x20; (c < 'a' || c > 'z') && (text[i] < '0' || text[i] > '9') {
			return false
		}
	}
	return text != ""
}

// param returns a main.cf parameter, or the default where there is none.
func param(env *maptypes.Env, name, otherwise string) string {
	if env.Param == nil {
		return otherwise
	}
	if value, ok := env.Param(name); ok && value != "" {
		return value
	}
	return otherwise
}
