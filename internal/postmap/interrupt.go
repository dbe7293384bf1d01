package postmap

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// interrupted says that a signal ended the command.
type interrupted struct{ signal syscall.Signal }

func (i *interrupted) Error() string { return "interrupted: " + i.signal.String() }

// die ends the process by the signal, so that its parent sees what happened. Where
// that does not work (the runtime keeps SIGQUIT for itself) the exit status is what
// shells say of it.
func (i *interrupted) die() {
	if i.signal != syscall.SIGQUIT {
		signal.Reset(i.signal)
		if err := syscall.Kill(os.Getpid(), i.signal); err == nil {
			time.Sleep(time.Second) // it arrives before this ends
		}
	}
	os.Exit(128 + int(i.signal))
}

// signals catches the signals that would end the process.
type signals struct {
	arrived chan os.Signal
	done    chan struct{} // closed by stop
	ended   chan struct{} // closed when the goroutine is gone

	mu    sync.Mutex
	cause error
}

// catchSignals begins to catch signals. The first that arrives is kept, and do is
// called.
func catchSignals(do func()) *signals {
	s := &signals{arrived: make(chan os.Signal, 1), done: make(chan struct{}), ended: make(chan struct{})}
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM} {
		if !signal.Ignored(sig) { // as nohup(1) has it
			signal.Notify(s.arrived, sig)
		}
	}
	go s.wait(do)
	return s
}

func (s *signals) wait(do func()) {
	defer close(s.ended)
	select {
	case sig := <-s.arrived:
		number, _ := sig.(syscall.Signal)
		s.mu.Lock()
		s.cause = &interrupted{number}
		s.mu.Unlock()
		do()
	case <-s.done:
	}
}

// caught returns the signal that has arrived, as an *interrupted, or nil.
func (s *signals) caught() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// stop gives signals their normal effect back and returns what caught does.
func (s *signals) stop() error {
	signal.Stop(s.arrived)
	close(s.done)
	<-s.ended
	return s.caught()
}
