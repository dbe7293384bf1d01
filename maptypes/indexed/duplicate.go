package indexed

import (
	"github.com/proxymapd/proxymapd/maptypes"
)

// Duplicate is the answer to an update that found its key in the table and left
// it as it is: nil, after a warning if the flags ask for it, or an error.
func Duplicate(env *maptypes.Env, label string, flags maptypes.Flags, key []byte) error {
	switch {
	case flags&maptypes.FlagDupIgnore != 0:
		return nil
	case flags&maptypes.FlagDupWarn != 0:
		env.Warnf("%s: duplicate entry: \"%s\"", label, key)
		return nil
	default:
		return maptypes.Configf("%s: duplicate entry: \"%s\"", label, key)
	}
}
