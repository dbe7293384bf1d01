package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/maillog"
)

// workerName is the name under which the test binary is a worker.
const workerName = "svcworker"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == workerName {
		os.Exit(workerMain())
	}
	os.Exit(m.Run())
}

// workerMain is the main function of a program that uses this package.
func workerMain() int {
	opt, err := ParseOptions(os.Args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	params, err := config.Load(config.Dir(""), opt.Overrides)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	log, err := maillog.New(maillog.Options{Program: opt.Program, Params: params, Stderr: opt.LogStderr, Syslog: true,
		Verbose: opt.Verbose})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return Run(opt, params, log, Service{
		PreJail: func() error {
			if opt.ServiceName == "failing" {
				return errors.New("no such thing as a failing service")
			}
			return nil
		},
		Serve:      func(ctx context.Context, c net.Conn) { serveTest(ctx, c, log) },
		OwnSession: opt.ServiceName == "proxywrite",
	})
}

// serveTest answers "pid" with its process ID, "sleep 1s" after that time, and "panic" not at all.
func serveTest(ctx context.Context, c net.Conn, log *logrus.Logger) {
	stop := context.AfterFunc(ctx, func() { c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		command, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch command {
		case "sleep":
			d, err := time.ParseDuration(argument)
			if err != nil {
				log.Warn(err)
			}
			time.Sleep(d)
		case "panic":
			panic(argument)
		case "log":
			log.Warn(argument)
		}
		if _, err := fmt.Fprintln(c, os.Getpid()); err != nil {
			return
		}
	}
}
