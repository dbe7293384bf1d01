package bdbmap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/protocol"
)

// Limits of a request to the service that makes tables (nbdb_reindexd(8)).
const (
	reindexTimeout  = 30 * time.Second
	reindexAttempts = 2
	reindexPause    = time.Second
	maxReindexReply = 1 << 16 // bytes
)

// reindex has the table of the given type made from the source of the Berkeley
// DB table, if there is none.
func (m *migration) reindex(typ string) error {
	if _, err := os.Stat(m.name + "." + typ); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	socket := filepath.Join("private", param(m.env, "non_bdb_migration_service_name", "nbdb_reindex"))
	if _, err := os.Stat(socket); err != nil {
		socket = filepath.Join(param(m.env, "queue_directory", "/var/spool/postfix"), socket)
	}
	var err error
	for try := range reindexAttempts {
		if try > 0 {
			time.Sleep(reindexPause)
		}
		if err = m.askForIndex(socket); err == nil {
			return nil
		}
	}
	return maptypes.Retryf("Non-Berkeley-DB migration error: %w", err)
}

// askForIndex sends one request to the service.
func (m *migration) askForIndex(socket string) error {
	conn, err := net.DialTimeout("unix", socket, reindexTimeout)
	if err != nil {
		return fmt.Errorf("connection to %s service: %w", socket, maptypes.SystemError(err))
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(reindexTimeout)); err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(conn, maxReindexReply))
	if hello, err := attributes(in); err != nil || hello["protocol"] != "nbdb_reindex" {
		return fmt.Errorf("error receiving %s service initial response", socket)
	}
	request := protocol.AppendString(nil, "nbdb_type", m.kind.String())
	request = protocol.AppendEnd(protocol.AppendString(request, "nbdb_path", m.name))
	if _, err := conn.Write(request); err != nil {
		return fmt.Errorf("error sending request to %s service: %w", socket, err)
	}
	reply, err := attributes(in)
	switch {
	case err != nil:
		return fmt.Errorf("error receiving response from %s service: %w", socket, err)
	case reply["status"] != "0":
		return errors.New(reply["why"])
	}
	return nil
}

// attributes reads a list of attributes.
func attributes(in *bufio.Reader) (map[string]string, error) {
	list := map[string]string{}
	for {
		name, err := in.ReadString(0)
		if err != nil {
			return nil, err
		}
		if name == "\x00" {
			return list, nil
		}
		value, err := in.ReadString(0)
		if err != nil {
			return nil, err
		}
		list[strings.TrimSuffix(name, "\x00")] = strings.TrimSuffix(value, "\x00")
	}
}
