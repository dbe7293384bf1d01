package master

import (
	"fmt"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/sirupsen/logrus"
)

// parseServices reads master.cf. The result has every service once, in the order
// of the file. After an error it has the services before the faulty line.
func parseServices(dir string, p *config.Params, s *settings, net network, log logrus.FieldLogger) ([]*definition, error) {
	if net.protocols.none() {
		log.Warnf("all network protocols are disabled (inet_protocols = %s)", s.protocols)
		log.Warn(`disabling all type "inet" services in master.cf`)
	}
	entries, warnings, failed := config.LoadMaster(dir, p)
	for _, w := range warnings {
		log.Warn(w)
	}
	var list []*definition
	for i := range entries {
		entry := &entries[i]
		if entry.Type == transportInet && net.protocols.none() {
			continue
		}
		if entry.Type == transportInet && s.interfaces != net.interfaces {
			log.Warnf("service %s: ignoring inet_interfaces change", entry.Name)
			log.Warn("to change inet_interfaces, stop and start Postfix")
		}
		d, err := define(entry, s, net)
		if err != nil {
			return list, err
		}
		if d.wrapped {
			log.Infof("service %q: port %s is out of range: using port %d", entry.Name, entry.Port, d.addrs[0].Port())
		}
		list = append(list, d)
	}
	return list, failed
}

// startAll puts definitions into service, one after the other, until one fails.
func (m *supervisor) startAll(list []*definition) error {
	for _, d := range list {
		s := &service{definition: *d}
		if err := m.sys.Listen(s); err != nil {
			return err
		}
		if err := m.startService(s); err != nil {
			return fmt.Errorf("service %s(%s): %w", d.extName, d.name, err)
		}
	}
	return nil
}

// replaceAll makes the services those of the list: services that are new are
// started, those that stay get their new settings, and those that are not in the
// list are stopped. When a new service cannot be started then nothing has
// changed.
func (m *supervisor) replaceAll(list []*definition) error {
	stay := make(map[*service]*definition)
	var added []*service
	for _, d := range list {
		if s := m.find(d); s != nil {
			stay[s] = d
			continue
		}
		s := &service{definition: *d}
		if err := m.sys.Listen(s); err != nil {
			for _, s := range added {
				m.sys.Unlisten(s)
			}
			return err
		}
		added = append(added, s)
	}
	for _, s := range append([]*service(nil), m.services...) {
		d := stay[s]
		if d == nil {
			m.stopService(s)
			continue
		}
		s.update(d)
		if err := m.restartService(s); err != nil {
			m.log.Errorf("service %s(%s): %v", s.extName, s.name, err)
		}
	}
	for _, s := range added {
		if err := m.startService(s); err != nil {
			m.log.Errorf("service %s(%s): %v", s.extName, s.name, err)
		}
	}
	return nil
}

func (m *supervisor) find(d *definition) *service {
	for _, s := range m.services {
		if s.same(&d.endpoint) {
			return s
		}
	}
	return nil
}

// update gives a service in service new settings. It listens where it did:
// sockets cannot be moved.
func (s *service) update(d *definition) {
	where := s.endpoint
	s.definition = *d
	s.endpoint = where
	s.condWake = d.wakeupOnUse
}
