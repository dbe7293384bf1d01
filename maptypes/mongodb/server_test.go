//go:build mongodb

package mongodb_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// server speaks as much of the MongoDB wire protocol as lookups need. Debian has
// no package of the real server, so these tests show that the driver asks as the
// protocol says and what it makes of the answers; they do not show what a real
// server answers to a filter.
type server struct {
	t       testing.TB
	address string

	mu        sync.Mutex
	listener  net.Listener
	conns     map[net.Conn]bool
	frozen    chan struct{} // not nil: nothing is answered before it is closed
	documents []bson.D
	answer    func(find bson.D) bson.D // instead of documents; nil in return: hang up
	finds     []bson.D
}

func newServer(t testing.TB, documents ...bson.D) *server {
	t.Helper()
	s := &server{t: t, address: "127.0.0.1:0", documents: documents}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	l, err := net.Listen("tcp4", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.address, s.conns = l, l.Addr().String(), map[net.Conn]bool{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.mu.Unlock()
			go s.serve(c)
		}
	}()
}

// kill closes everything.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener.Close()
	for c := range s.conns {
		c.Close()
	}
}

func (s *server) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = make(chan struct{})
}

func (s *server) thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.frozen)
	s.frozen = nil
}

// takeFinds returns the find commands since the last time.
func (s *server) takeFinds() []bson.D {
	s.mu.Lock()
	defer s.mu.Unlock()
	finds := s.finds
	s.finds = nil
	return finds
}

const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

// serve answers the messages of one connection (mongodb.com: "MongoDB Wire
// Protocol").
func (s *server) serve(c net.Conn) {
	defer c.Close()
	for {
		var head [16]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head[:])-16)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		s.mu.Lock()
		frozen := s.frozen
		s.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		var prefix []byte
		code := binary.LittleEndian.Uint32(head[12:])
		switch code {
		case opQuery: // flags, name of the collection, skip, count
			body = body[4+bytes.IndexByte(body[4:], 0)+1+8:]
			prefix = make([]byte, 20)
			prefix[16] = 1 // document
			code = opReply
		case opMsg: // flags, kind of section
			body = body[5:]
			prefix = make([]byte, 5)
		default:
			s.t.Errorf("operation %d", code)
			return
		}
		var command bson.D
		if err := bson.Unmarshal(body[:binary.LittleEndian.Uint32(body)], &command); err != nil {
			s.t.Error(err)
			return
		}
		reply := s.reply(command)
		if reply == nil {
			return
		}
		document, err := bson.Marshal(reply)
		if err != nil {
			s.t.Error(err)
			return
		}
		var out []byte
		for _, n := range []uint32{uint32(16 + len(prefix) + len(document)), 1, binary.LittleEndian.Uint32(head[4:]), code} {
			out = binary.LittleEndian.AppendUint32(out, n)
		}
		if _, err := c.Write(append(append(out, prefix...), document...)); err != nil {
			return
		}
	}
}

func (s *server) reply(command bson.D) bson.D {
	switch strings.ToLower(command[0].Key) {
	case "hello", "ismaster":
		return doc("isWritablePrimary", true, "ismaster", true, "helloOk", true, "minWireVersion", 0, "maxWireVersion", 21,
			"maxBsonObjectSize", 16<<20, "maxMessageSizeBytes", 48000000, "maxWriteBatchSize", 100000,
			"localTime", time.Now(), "logicalSessionTimeoutMinutes", 30, "readOnly", false, "ok", 1.0)
	case "find":
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finds = append(s.finds, command)
		if s.answer != nil {
			return s.answer(command)
		}
		return found(s.matching(command)...)
	}
	return doc("ok", 1.0)
}

// found is the answer to a find command.
func found(documents ...bson.D) bson.D {
	batch := bson.A{}
	for _, d := range documents {
		batch = append(batch, d)
	}
	return doc("cursor", doc("firstBatch", batch, "id", int64(0), "ns", "mail.users"), "ok", 1.0)
}

// matching returns the parts of documents that have the filter's values in the
// fields of that name.
func (s *server) matching(command bson.D) (documents []bson.D) {
	filter, projection := member(command, "filter").(bson.D), member(command, "projection").(bson.D)
	for _, d := range s.documents {
		match := true
		for _, e := range filter {
			match = match && member(d, e.Key) == e.Value
		}
		if !match {
			continue
		}
		var part bson.D
		for _, e := range projection {
			if v := member(d, e.Key); e.Value == int32(1) && v != nil {
				part = append(part, bson.E{Key: e.Key, Value: v})
			}
		}
		documents = append(documents, part)
	}
	return documents
}

// doc returns a document of names and values in turn.
func doc(pairs ...any) (d bson.D) {
	for i := 0; i < len(pairs); i += 2 {
		d = append(d, bson.E{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return d
}

func member(d bson.D, name string) any {
	for _, e := range d {
		if e.Key == name {
			return e.Value
		}
	}
	return nil
}
