package ldap

import (
	"context"
	"fmt"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// access is what a table needs to get at its servers.
type access struct {
	urls     []ldapURL
	startTLS bool
	security *security
	identity identity
	files    []string // besides the table's own
}

// readAccess reads the parameters about servers. It returns the files with an
// error, too. Whatever version of the protocol the table asks for, version 3 is
// what is spoken: it has all of version 2, and the library has nothing else.
func readAccess(env *maptypes.Env, name string, cf *tablecf.Settings) (*access, error) {
	a := &access{startTLS: cf.Bool("start_tls", false)}
	if version := cf.Int("version", 3, 2); version > 3 {
		env.Warnf("dict_ldap_open: %s Unknown version %d, using 3.", name, version)
	}
	if err := a.readServers(env, name, cf); err != nil {
		return a, err
	}
	useTLS := a.startTLS
	for _, u := range a.urls {
		useTLS = useTLS || u.scheme == schemeTLS
	}
	var err error
	// A referral may lead to a server with TLS.
	a.security, err = readSecurity(cf, useTLS || cf.Bool("chase_referrals", false))
	a.files = a.security.files
	if err != nil {
		return a, err
	}
	if a.identity, err = readIdentity(name, cf); err != nil {
		return a, err
	}
	return a, cf.Err()
}

// readServers reads server_host and server_port. A URL that cannot be parsed is
// left out, but one must remain.
func (a *access) readServers(env *maptypes.Env, name string, cf *tablecf.Settings) error {
	list := cf.Required("server_host", "localhost")
	port := cf.Int("server_port", defaultPort, 1)
	if err := cf.Err(); err != nil {
		return err
	}
	for _, text := range textfile.SplitList(list) {
		if !strings.Contains(text, "://") {
			if !strings.Contains(text, ":") {
				text = fmt.Sprintf("%s:%d", text, port)
			}
			text = schemePlain + "://" + text
		}
		u, err := parseURL(text)
		if err != nil {
			env.Errorf("dict_ldap_open: error parsing URL %s: %v; skipping", text, err)
			continue
		}
		a.urls = append(a.urls, u)
	}
	if len(a.urls) == 0 {
		return maptypes.Configf("%s: no server in server_host = %s", name, list)
	}
	return nil
}

// servers returns the servers of the table.
func (a *access) servers() []backend.Server[*conn] {
	list := make([]backend.Server[*conn], len(a.urls))
	for i, u := range a.urls {
		network, address := u.dialAddress()
		list[i] = backend.Server[*conn]{
			Key:  strings.Join([]string{network, address, u.serverName(), fmt.Sprint(u.scheme == schemeTLS, a.startTLS), a.identity.key(), a.security.digest}, "\x00"),
			Name: u.text,
			Unix: network == "unix",
			Dial: func(ctx context.Context) (*conn, error) { return a.dial(ctx, u, a.identity) },
		}
	}
	return list
}
