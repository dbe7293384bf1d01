// Command proxymap is the worker of the proxymap and proxywrite services: it is
// started by master(8), Postfix's or ours, and answers lookups, updates,
// deletions and sequences on tables that proxy_read_maps or proxy_write_maps
// approve. See proxymap(8).
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/maillog"
	"github.com/proxymapd/proxymapd/internal/proxymap"
	"github.com/proxymapd/proxymapd/internal/service"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

func main() { os.Exit(run(os.Args)) }

// run is the life of a worker. It returns the exit status.
func run(args []string) int {
	log, err := maillog.New(maillog.Options{Program: proxymap.ReadService, Syslog: true, Stderr: service.OnTerminal()})
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxymap: fatal:", err)
		return 1
	}
	opt, err := service.ParseOptions(args)
	if errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	if err != nil {
		return fatal(log, err)
	}
	params, err := config.Load(config.Dir(""), opt.Overrides)
	if err != nil {
		return fatal(log, err)
	}
	for _, warning := range params.Warnings() {
		log.Warn(warning)
	}
	logging := maillog.Options{Program: opt.Program, Params: params, Syslog: true, FileFallback: true, Stderr: opt.LogStderr, Verbose: opt.Verbose}
	if err := maillog.Reconfigure(log, logging); err != nil {
		return fatal(log, err)
	}
	if len(opt.Args) > 0 {
		return fatal(log, fmt.Errorf("unexpected command-line argument: %s", opt.Args[0]))
	}
	return serve(opt, params, log)
}

// serve runs the service. Approval is computed before the worker gives up its
// privileges, because the files that proxy_read_maps names may be root's.
func serve(opt service.Options, params *config.Params, log *logrus.Logger) int {
	var server *proxymap.Server
	return service.Run(opt, params, log, service.Service{
		PreJail: func() (err error) {
			server, err = proxymap.New(opt.ServiceName, params, all.Drivers(), log)
			return err
		},
		Serve:      func(ctx context.Context, conn net.Conn) { server.ServeConn(ctx, conn) },
		Exit:       func() { server.Close() },
		OwnSession: opt.ServiceName == proxymap.WriteService,
	})
}

func fatal(log *logrus.Logger, err error) int {
	log.Log(logrus.FatalLevel, err)
	return 1
}
