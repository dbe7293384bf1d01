package maptypes

import (
	"sort"
	"strings"
)

// Registry is a set of drivers by type. It does not change once it is made.
type Registry struct {
	drivers map[string]*Driver
}

// NewRegistry returns the registry of the given drivers. A later driver
// replaces an earlier one of the same type, so that a program can put its own
// in the place of a standard one (the worker's proxy: type).
func NewRegistry(drivers ...Driver) *Registry {
	reg := &Registry{drivers: make(map[string]*Driver, len(drivers))}
	for i := range drivers {
		reg.drivers[drivers[i].Type] = &drivers[i]
	}
	return reg
}

// Types returns the names of all types that this build has, sorted.
func (reg *Registry) Types() []string {
	names := make([]string, 0, len(reg.drivers))
	for name, d := range reg.drivers {
		if d.LeftOut == "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Split splits "type:name". Both parts must be there.
func Split(spec string) (typ, name string, err error) {
	typ, name, ok := strings.Cut(spec, ":")
	if !ok || typ == "" || name == "" {
		return "", "", Configf("open dictionary: expecting \"type:name\" form instead of \"%s\"", spec)
	}
	return typ, name, nil
}

// find returns the driver of a type, or an error that says what is wrong.
func (reg *Registry) find(typ string) (*Driver, error) {
	d := reg.drivers[typ]
	if d == nil {
		return nil, Configf("unsupported dictionary type: %s", typ)
	}
	if d.LeftOut != "" {
		return nil, Configf("unsupported dictionary type: %s: %s", typ, d.LeftOut)
	}
	return d, nil
}

// Open opens "type:name". In a daemon there is no error: what goes wrong is
// logged, and the handle answers ErrRetry with the reason until the table can
// be opened.
func (reg *Registry) Open(env *Env, spec string, mode Mode, flags Flags) (*Handle, error) {
	return openHandle(env, reg, spec, mode, flags)
}

// Create begins to build the table "type:name" anew.
func (reg *Registry) Create(env *Env, spec string, flags Flags) (*Build, error) {
	typ, name, err := Split(spec)
	if err != nil {
		return nil, err
	}
	d, err := reg.find(typ)
	if err != nil {
		return nil, err
	}
	if d.Create == nil {
		return nil, Configf("no 'map create' support for this type: %s", typ)
	}
	b, err := d.Create(env, name, flags)
	if err != nil {
		return nil, err
	}
	return &Build{
		builder: b,
		layer:   newLayer(env, spec, flags, FlagFoldFix),
		flags:   flags,
	}, nil
}
