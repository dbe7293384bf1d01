package stream

import (
	"strconv"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// retryInterval is how often the log says that a server is still down. There is
// no other server to ask, so that this one is tried more often.
const retryInterval = time.Minute

// ReadLimits reads the parameters that a type without a file of settings has in
// main.cf: proxymapd_type_timeout, proxymapd_type_max_idle,
// proxymapd_type_max_ttl and proxymapd_type_max_connections. The defaults are
// those of def.
func ReadLimits(env *maptypes.Env, typ string, def backend.Limits) (backend.Limits, error) {
	prefix := "proxymapd_" + typ + "_"
	limits := def
	limits.RetryInterval = retryInterval
	for _, timer := range []struct {
		name  string
		value *time.Duration
	}{
		{prefix + "timeout", &limits.LookupTimeout},
		{prefix + "max_idle", &limits.IdleInterval},
		{prefix + "max_ttl", &limits.Lifetime},
	} {
		text, ok := param(env, timer.name)
		if !ok {
			continue
		}
		d, err := maptypes.ParseTime(text, 's')
		if err != nil {
			return limits, maptypes.Configf("%s: %w", timer.name, err)
		}
		if d < time.Second {
			return limits, maptypes.Configf("invalid %s parameter value %s < 1s", timer.name, text)
		}
		*timer.value = d
	}
	var err error
	if limits.AllConnections, err = number(env, backend.AllConnections, 0, 0); err != nil {
		return limits, err
	}
	limits.MaxConnections, err = Int(env, prefix+"max_connections", def.MaxConnections)
	return limits, err
}

// Int returns the value of a main.cf parameter that is a positive number, or def
// when it is not there.
func Int(env *maptypes.Env, name string, def int) (int, error) {
	return number(env, name, def, 1)
}

// number is Int for a number that is not less than least.
func number(env *maptypes.Env, name string, def, least int) (int, error) {
	text, ok := param(env, name)
	if !ok {
		return def, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, maptypes.Configf("bad numerical configuration: %s = %s", name, text)
	}
	if int(n) < least {
		return 0, maptypes.Configf("invalid %s parameter value %d < %d", name, n, least)
	}
	return int(n), nil
}

func param(env *maptypes.Env, name string) (string, bool) {
	if env.Param == nil {
		return "", false
	}
	text, ok := env.Param(name)
	return text, ok && text != ""
}
