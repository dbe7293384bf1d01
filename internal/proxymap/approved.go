package proxymap

import (
	"fmt"

	"github.com/proxymapd/proxymapd/internal/config"
)

// Approved returns the tables that a service, ReadService or WriteService, opens for its clients: "type:name" without
// the proxy: prefix, each with the parameter or file that lists it. What is odd about the lists goes to warnf. The error
// is that of a parameter that cannot be used.
func Approved(service string, params *config.Params, warnf func(format string, args ...any)) (map[string]string, error) {
	if service != ReadService && service != WriteService {
		return nil, fmt.Errorf("invalid service name: %q - service name must be %q or %q", service, WriteService, ReadService)
	}
	a, err := approve(params, service == WriteService, warnf)
	if err != nil {
		return nil, err
	}
	return a.origin, nil
}
