// Package members opens the tables that unionmap: and pipemap: are made of.
package members

import (
	"errors"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Set is the open members of one table, in the order of its name.
type Set []*maptypes.Handle

// Open opens the members of "typ:{type:name, type:name...}". The error is that
// of the first member that cannot be opened.
func Open(env *maptypes.Env, typ, name string, mode maptypes.Mode, flags maptypes.Flags) (Set, error) {
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("%s:%s map requires O_RDONLY access mode", typ, name)
	}
	specs, ok := split(name)
	if !ok {
		return nil, maptypes.Configf("bad syntax: \"%s:%s\"; need \"%s:{type:name...}\"", typ, name, typ)
	}
	var set Set
	for _, spec := range specs {
		member, err := env.Open(spec, mode, flags)
		if err != nil {
			set.Close()
			return nil, err
		}
		set = append(set, member)
	}
	return set, nil
}

// split returns the members that a name lists.
func split(name string) (specs []string, ok bool) {
	inside, err := textfile.Unbrace(name)
	if err != nil {
		return nil, false
	}
	specs = textfile.SplitBraceList(inside)
	for _, spec := range specs {
		if !strings.Contains(spec, ":") {
			return nil, false
		}
	}
	return specs, len(specs) > 0
}

// Flags returns the flags of the new instance: the first member says whether
// keys are fixed strings or patterns.
func (s Set) Flags(flags maptypes.Flags) maptypes.Flags {
	return flags | s[0].Flags()&(maptypes.FlagFixed|maptypes.FlagPattern)
}

// Close closes the members.
func (s Set) Close() error {
	var errs []error
	for _, member := range s {
		errs = append(errs, member.Close())
	}
	return errors.Join(errs...)
}
