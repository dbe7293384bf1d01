package ldap

import (
	"fmt"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// The ways to tell the server who is asking.
type bindKind int

const (
	bindNone bindKind = iota
	bindSimple
	bindExternal // SASL EXTERNAL: the UNIX user, or the TLS certificate
)

var bindKinds = map[string]bindKind{
	"no": bindNone, "none": bindNone, "yes": bindSimple, "simple": bindSimple, "sasl": bindExternal,
}

// identity is who asks.
type identity struct {
	kind         bindKind
	dn, password string
	leastSSF     int // sasl_minssf
}

// readIdentity reads bind, bind_dn, bind_pw and the parameters about SASL.
func readIdentity(name string, cf *tablecf.Settings) (identity, error) {
	cf.Known("sasl_mechs", "sasl_realm", "sasl_authz_id", "sasl_minssf")
	option := cf.Required("bind", "yes")
	kind, ok := bindKinds[strings.ToLower(option)]
	if !ok && option != "" {
		return identity{}, maptypes.Configf("%s: unsupported parameter value: bind = %s", name, option)
	}
	who := identity{kind: kind, dn: cf.String("bind_dn", "")}
	who.password, _ = cf.Secret("bind_pw")
	if kind == bindExternal {
		return who, readSASL(name, cf, &who)
	}
	return who, nil
}

// readSASL checks that EXTERNAL is what the table asks for: no other mechanism is
// supported.
func readSASL(name string, cf *tablecf.Settings, who *identity) error {
	who.leastSSF = cf.Int("sasl_minssf", 0, 0)
	mechanisms := cf.String("sasl_mechs", "")
	external := false
	for mechanism := range strings.FieldsSeq(mechanisms) {
		external = external || strings.EqualFold(mechanism, "EXTERNAL")
	}
	if !external {
		return maptypes.Configf("%s: bind = sasl is supported with sasl_mechs = EXTERNAL only, not with sasl_mechs = %s", name, mechanisms)
	}
	if authz := cf.String("sasl_authz_id", ""); authz != "" {
		return maptypes.Configf("%s: sasl_authz_id is not supported", name)
	}
	return nil
}

// key tells identities apart.
func (who identity) key() string {
	switch who.kind {
	case bindSimple:
		return "simple\x00" + who.dn + "\x00" + who.password
	case bindExternal:
		return fmt.Sprint("external\x00", who.leastSSF)
	}
	return "none"
}

// label is what log lines call the identity.
func (who identity) label() string {
	if who.dn == "" {
		return "empty or implicit"
	}
	return who.dn
}
