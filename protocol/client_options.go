package protocol

import (
	"context"
	"net"
	"time"
)

// Defaults for ClientOptions.
const (
	DefaultIdleLimit = 5 * time.Second    // ipc_idle
	DefaultTTL       = 1000 * time.Second // ipc_ttl
	DefaultTimeout   = time.Hour          // ipc_timeout
	DefaultPause     = time.Second        // dict_proxy.c
	DefaultMaxTries  = 10
	DefaultRetryTime = 30 * time.Second
)

// ClientOptions say where a Client's server is and how patient it is.
type ClientOptions struct {
	// Service is the service's name, for messages: proxymap or proxywrite.
	Service string

	// Dial connects to the server: queue_directory/private/<service>.
	Dial func(context.Context) (net.Conn, error)

	// Warn receives one line, without "warning: ", for what went wrong and is
	// tried again, in Postfix's wording. Default: none.
	Warn func(string)

	IdleLimit time.Duration // a connection without requests is closed. Default: DefaultIdleLimit
	TTL       time.Duration // a connection is not used for longer. Default: DefaultTTL

	// Timeout limits one exchange: the request sent and the reply received.
	// Default: DefaultTimeout.
	Timeout time.Duration

	// Pause is the time between two tries. Default: DefaultPause.
	Pause time.Duration

	// MaxTries and RetryTime end the tries: there are at most MaxTries, and
	// none begins later than RetryTime after the first. (Postfix's client goes
	// on for ever.) Defaults: DefaultMaxTries, DefaultRetryTime.
	MaxTries  int
	RetryTime time.Duration
}

func (o ClientOptions) withDefaults() ClientOptions {
	setDefault(&o.Service, "proxymap")
	setDefault(&o.IdleLimit, DefaultIdleLimit)
	setDefault(&o.TTL, DefaultTTL)
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.Pause, DefaultPause)
	setDefault(&o.MaxTries, DefaultMaxTries)
	setDefault(&o.RetryTime, DefaultRetryTime)
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	return o
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}
