package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// readReply reads the reply to a request of the given kind. The dialect is the
// one that the reply shows, DialectUnknown if it could be either. With
// greeting, an announcement may come first.
func readReply(s *scanner, k Kind, greeting bool) (r Reply, d Dialect, err error) {
	s.begin()
	name, err := replyName(s)
	if err == nil && greeting && name == attrProtocol {
		if err = readAnnouncement(s); err == nil {
			name, err = replyName(s)
		}
	}
	if err != nil {
		return Reply{}, DialectUnknown, err
	}
	status, err := replyUint(s, name, attrStatus)
	if err != nil {
		return Reply{}, DialectUnknown, err
	}
	r.Status = Status(status)
	d, err = readReplyRest(s, k, &r)
	if err != nil {
		return Reply{}, DialectUnknown, err
	}
	return r, d, nil
}

// readAnnouncement reads what follows the name protocol.
func readAnnouncement(s *scanner) error {
	value, err := s.next(MaxValue)
	if err != nil {
		return replyError(err)
	}
	if text := s.bytes(value); string(text) != ProtocolName {
		return fmt.Errorf("unexpected %s %s (expected: %s)", attrProtocol, printable(text[:min(len(text), 100)]), ProtocolName)
	}
	name, err := replyName(s)
	if err == nil && name != "" {
		err = unexpectedReply(name, "(list terminator)")
	}
	return err
}

// readReplyRest reads what follows the status. A server that does not know the
// kind of request sends nothing more.
func readReplyRest(s *scanner, k Kind, r *Reply) (Dialect, error) {
	d := Dialect37
	if k == Open {
		d = DialectUnknown
	}
	name, err := replyName(s)
	if err != nil || name == "" && r.Status == StatusBad {
		if k == Explain {
			d = DialectUnknown // Postfix's answer in every dialect
		}
		return d, err
	}
	if k == Open || name == attrFlags {
		if r.Flags, err = replyUint(s, name, attrFlags); err != nil {
			return d, err
		}
		if k != Open {
			d = Dialect311
		}
		if name, err = replyName(s); err != nil {
			return d, err
		}
	}
	if k == Sequence {
		if r.Key, err = replyBytes(s, name, attrKey); err != nil {
			return d, err
		}
		if name, err = replyName(s); err != nil {
			return d, err
		}
	}
	if k == Sequence || k == Lookup || k == Explain {
		if r.Value, err = replyBytes(s, name, attrValue); err != nil {
			return d, err
		}
		if name, err = replyName(s); err != nil {
			return d, err
		}
	}
	if k == Explain {
		if r.Trace, err = replyBytes(s, name, attrTrace); err != nil {
			return d, err
		}
		if name, err = replyName(s); err != nil {
			return d, err
		}
	}
	if name != "" {
		return d, unexpectedReply(name, "(list terminator)")
	}
	return d, nil
}

func replyName(s *scanner) (string, error) {
	p, err := s.next(MaxName)
	if err != nil {
		return "", replyError(err)
	}
	return string(s.bytes(p)), nil
}

func replyBytes(s *scanner, name, wanted string) ([]byte, error) {
	if name == "" {
		return nil, fmt.Errorf("missing attribute %s in reply", wanted)
	}
	if name != wanted {
		return nil, unexpectedReply(name, wanted)
	}
	p, err := s.next(MaxValue)
	if err != nil {
		return nil, replyError(err)
	}
	return bytes.Clone(s.bytes(p)), nil
}

func replyUint(s *scanner, name, wanted string) (uint32, error) {
	text, err := replyBytes(s, name, wanted)
	if err != nil {
		return 0, err
	}
	n, ok := parseUint(text)
	if !ok {
		return 0, fmt.Errorf("malformed numerical data in reply: %s", printable(text[:min(len(text), 100)]))
	}
	return n, nil
}

func unexpectedReply(name, wanted string) error {
	return fmt.Errorf("unexpected attribute %s in reply (expecting: %s)", printable([]byte(name[:min(len(name), 100)])), wanted)
}

func replyError(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("read reply: server closed the connection: %w", err)
	}
	return fmt.Errorf("read reply: %w", err)
}
