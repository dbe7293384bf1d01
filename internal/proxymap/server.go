// Package proxymap is the proxymap(8) service itself: it approves the tables
// that clients ask for, keeps one open instance of each for all clients, and
// turns requests into lookups, updates, deletions and sequences. It knows
// nothing of processes: internal/service hands it connections.
package proxymap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/maillog"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/cache"
	"github.com/proxymapd/proxymapd/protocol"
)

// The names that the service can have in master.cf.
const (
	ReadService  = "proxymap"
	WriteService = "proxywrite"
)

// Server answers the clients of one worker. Its methods may be called by
// several goroutines at once.
type Server struct {
	service  string
	writer   bool
	announce bool
	explains bool
	log      logrus.FieldLogger
	approved *approval
	refused  refusals
	tables   *tables
	caches   *cache.Set // nil: none
}

// New returns the server of a service, ReadService or WriteService, with the
// approved tables that the parameters list. It opens no table.
func New(service string, params *config.Params, drivers []maptypes.Driver, log logrus.FieldLogger) (*Server, error) {
	if service != ReadService && service != WriteService {
		return nil, fmt.Errorf("invalid service name: %q - service name must be %q or %q", service, WriteService, ReadService)
	}
	s := &Server{service: service, writer: service == WriteService, log: log}
	var err error
	if s.announce, err = params.Bool("proxymapd_announce"); err != nil {
		return nil, err
	}
	if s.explains, err = params.Bool("proxymapd_explain"); err != nil {
		return nil, err
	}
	utf8, err := params.Bool("smtputf8_enable")
	if err != nil {
		return nil, err
	}
	if s.approved, err = approve(params, s.writer, log.Warnf); err != nil {
		return nil, err
	}
	if s.caches, err = newCaches(params, s.writer, log.Warnf); err != nil {
		return nil, err
	}
	s.refused = refusals{writer: s.writer, warnf: log.Warnf}
	env := &maptypes.Env{
		Registry: maptypes.NewRegistry(append(drivers, direct)...),
		Param: func(name string) (string, bool) {
			value, err := params.String(name)
			_, known := params.Raw(name)
			return value, known && err == nil
		},
		Infof:  log.Infof,
		Warnf:  log.Warnf,
		Errorf: log.Errorf,
		UTF8:   utf8,
		Daemon: true,
		// A change shows before anybody who made it can have started a client.
		LookInterval: time.Millisecond,
	}
	if s.caches != nil {
		env.Cache = s.caches.Wrap
	}
	s.tables = newTables(env, s.writer)
	return s, nil
}

// Close closes all tables. No connection may be in service.
func (s *Server) Close() {
	s.tables.close()
	if s.caches != nil {
		s.caches.Report(s.log.Infof)
	}
}

// direct is the proxy: type within the service: the table itself.
var direct = maptypes.Driver{
	Type: "proxy",
	Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		h, err := env.Open(stripProxy(name), mode, flags)
		if err != nil {
			return nil, err
		}
		return &maptypes.Opened{Table: h, Flags: h.Flags(), Label: h.Spec()}, nil
	},
}

// client is the state of one connection.
type client struct {
	conn    *protocol.ServerConn
	request protocol.Request
	reply   protocol.Reply
	table   maptypes.Request
	cursors map[*maptypes.Handle]*maptypes.Cursor // of its sequence requests
	quiet   resumer                               // nil: quiet clients are waited for
}

// resumer is a connection that can do without its goroutine while the client
// sends nothing (service.Service.Serve).
type resumer interface{ Resume(func(context.Context)) }

// isQuiet says whether ReadRequest has returned because there is no request.
func isQuiet(err error) bool {
	var quiet interface{ Quiet() bool }
	return errors.As(err, &quiet) && quiet.Quiet()
}

// ServeConn answers the requests of one client, one after the other, until the
// client leaves or breaks the protocol, or ctx is done; a request that has begun
// to arrive is then still answered. The caller closes the connection, but not if
// ServeConn has called its method Resume.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn) {
	c := &client{conn: protocol.NewServerConn(conn, protocol.ServerOptions{
		Name: s.service,
		Warn: func(text string) { s.log.Warn(text) },
	})}
	c.quiet, _ = conn.(resumer)
	if s.announce {
		if err := c.conn.Announce(); err != nil {
			s.hungUp(err)
			return
		}
	}
	s.serve(ctx, c)
}

// serve answers requests until the client leaves or is quiet.
func (s *Server) serve(ctx context.Context, c *client) {
	stop := context.AfterFunc(ctx, c.conn.Interrupt)
	defer stop()
	// What has been asked is answered, also when the worker is about to end.
	ctx = context.WithoutCancel(ctx)
	for {
		switch err := s.serveRequest(ctx, c); {
		case err == nil:
		case isQuiet(err) && c.quiet != nil:
			c.quiet.Resume(func(ctx context.Context) { s.serve(ctx, c) })
			return
		default:
			s.hungUp(err)
			return
		}
	}
}

// hungUp logs why a connection ends, if anybody should know.
func (s *Server) hungUp(err error) {
	if !isEOF(err) && !errors.Is(err, protocol.ErrInterrupted) && !errors.Is(err, errHangUp) {
		s.log.Debugf("connection closed: %v", err)
	}
}

// errHangUp ends a connection whose client has been told, or can't be.
var errHangUp = errors.New("malformed request")

// serveRequest reads and answers one request: decode, approve, table, reply.
func (s *Server) serveRequest(ctx context.Context, c *client) error {
	err := c.conn.ReadRequest(&c.request)
	var bad *protocol.BadRequest
	switch {
	case err == nil:
		s.answer(ctx, c)
	case errors.As(err, &bad):
		c.reply = bad.Reply
		if bad.Hangup || bad.NoReply {
			return s.refuseBad(c, bad)
		}
	default:
		return err
	}
	return s.send(c)
}

// refuseBad deals with a malformed request after which the client gets no reply
// or no further service.
func (s *Server) refuseBad(c *client, bad *protocol.BadRequest) error {
	if !bad.NoReply {
		if err := s.send(c); err != nil {
			return err
		}
	}
	if bad.Hangup {
		return errHangUp
	}
	return nil
}

// send sends the reply. A value that the protocol cannot carry becomes CONFIG.
func (s *Server) send(c *client) error {
	err := c.conn.WriteReply(&c.request, &c.reply)
	if !errors.Is(err, protocol.ErrNUL) {
		return err
	}
	s.log.Warnf("table %s: the result contains a NUL byte", maillog.Printable(c.request.Table))
	c.reply = protocol.Reply{Status: protocol.StatusConfig, Flags: c.reply.Flags, Trace: c.reply.Trace}
	return c.conn.WriteReply(&c.request, &c.reply)
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
