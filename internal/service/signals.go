package service

import (
	"os"
	"os/signal"
	"syscall"
)

// leaveOnSignal makes the signals that end a process wait for the requests that are being worked on.
func (w *worker) leaveOnSignal() (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		for got := range signals {
			w.leave("got signal " + got.String() + " -- exiting")
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}
