package explain

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
)

// The ways in which Postfix looks addresses up. Tables for Transport are opened
// without $number substitution (maptypes.FlagNoRegsub).
const (
	Virtual   = "virtual"
	Canonical = "canonical"
	Access    = "access"
	Transport = "transport"
)

// Kinds are the ways in which Postfix looks addresses up, by the manual page that
// describes each: virtual(5), canonical(5), access(5), transport(5).
var Kinds = []string{Virtual, Access, Transport, Canonical}

// Key is one of the keys that are looked up for an address.
type Key struct {
	Text string
	// Why says what the key is: "whole address", "parent domain".
	Why string
	// Partial keys are not looked up in tables of patterns, which match a part
	// of an address anyway (maps(3)).
	Partial bool
}

// Plan is what is looked up for an address: the keys in their order, until one
// is found, and what was decided on the way.
type Plan struct {
	Keys  []Key
	Notes []string
}

// Settings are what the keys of an address depend on.
type Settings struct {
	// Param returns the expanded value of a main.cf parameter, and false when
	// there is none.
	Param func(name string) (string, bool)
	// Env opens the tables in the lists of main.cf.
	Env *maptypes.Env
}

// NewPlan returns what Postfix looks up for an address in a table of one of the
// Kinds. With "access" the address may also be that of a host, or a host name.
func NewPlan(kind, address string, s Settings) (*Plan, error) {
	p := &planner{Settings: s, Plan: &Plan{}}
	switch kind {
	case Virtual, Canonical:
		a := p.split(address)
		if p.quotedOnly = true; quoteLocal(a.local) != a.local {
			p.note("the cleanup server looks up %s; the smtpd server, which looks whether a recipient exists, also tries it without quotes", quoteLocal(a.local))
		}
		p.mail(a)
	case Transport:
		a := p.split(address)
		p.full(a)
		p.domains(a.domain, true, "transport_maps")
		p.add("*", "the key for everything else", false)
	case Access:
		p.access(address)
	default:
		return nil, fmt.Errorf("unknown way to look up addresses: %q; specify one of %s", kind, strings.Join(Kinds, ", "))
	}
	return p.Plan, nil
}

// planner makes a plan.
type planner struct {
	Settings
	*Plan
	quotedOnly bool // local parts that need quotes are looked up with them only
}

// mailbox is an address without quotes, with the extension cut off or not.
type mailbox struct {
	local, bare string // bare: without extension; empty when there is none
	domain      string
}

func (p *planner) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// add adds a key, unless it is empty: those are not looked up.
func (p *planner) add(text, why string, partial bool) {
	if text != "" {
		p.Keys = append(p.Keys, Key{Text: text, Why: why, Partial: partial})
	}
}

// addMailbox adds a local part with what follows it: with the quotes that it may
// need and then, but not when mail is rewritten, without (mail_addr_find(3) and
// mail_addr_map(3)).
func (p *planner) addMailbox(local, rest, why string, partial bool) {
	quoted := quoteLocal(local)
	p.add(quoted+rest, why, partial)
	if quoted != local && !p.quotedOnly {
		p.add(local+rest, why+", without quotes", partial)
	}
}

// split takes an address apart. One without a domain gets the local one, as mail
// gets it before it is looked up.
func (p *planner) split(address string) mailbox {
	plain := unquote(address)
	at := strings.LastIndexByte(plain, '@')
	if at < 0 {
		origin := p.param("myorigin")
		p.note("the address has no domain: @%s is added ($myorigin)", origin)
		plain, at = plain+"@"+origin, len(plain)
	}
	a := mailbox{local: plain[:at], domain: plain[at+1:]}
	delimiters := p.param("recipient_delimiter")
	if bare, ok := p.stripExtension(a.local, delimiters); ok {
		a.bare = bare
		p.note("recipient_delimiter = %s: %q is an address extension", delimiters, a.local[len(bare):])
	} else if delimiters == "" {
		p.note("recipient_delimiter is empty: there are no address extensions")
	}
	return a
}

// full adds the address with and without extension.
func (p *planner) full(a mailbox) {
	p.addMailbox(a.local, "@"+a.domain, "whole address", false)
	if a.bare != "" {
		p.addMailbox(a.bare, "@"+a.domain, "without extension", true)
	}
}

// mail adds the keys of virtual(5) and canonical(5).
func (p *planner) mail(a mailbox) {
	p.full(a)
	if p.isLocal(a.domain) {
		p.addMailbox(a.local, "", "user, since the domain is local", true)
		if a.bare != "" {
			p.addMailbox(a.bare, "", "user without extension, since the domain is local", true)
		}
	}
	p.add("@"+a.domain, "the whole domain", true)
}

// access adds the keys of access(5), of an address, a host, or a network address.
func (p *planner) access(text string) {
	inside := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	switch addr, err := netip.ParseAddr(inside); {
	case text == "" || text == "<>":
		p.add(p.param("smtpd_null_access_lookup_key"), "the null sender (smtpd_null_access_lookup_key)", false)
	case err == nil:
		p.networks(inside, addr)
	case strings.Contains(text, "@"):
		a := p.split(text)
		p.full(a)
		p.domains(a.domain, true, "smtpd_access_maps")
		p.addMailbox(a.local, "@", "user at any domain", true)
		if a.bare != "" {
			p.addMailbox(a.bare, "@", "user without extension at any domain", true)
		}
	default:
		p.note("there is no @: taken for a host name")
		p.domains(text, false, "smtpd_access_maps")
	}
}

// networks adds a network address and those of the networks around it.
func (p *planner) networks(text string, addr netip.Addr) {
	delimiter := "."
	if addr.Is6() {
		delimiter = ":"
	}
	why := "the address"
	for partial := false; ; partial = true {
		p.add(text, why, partial)
		end := strings.LastIndex(text, delimiter)
		if end < 0 {
			return
		}
		text, why = text[:end], "network"
	}
}

// domains adds a domain and its parents. Whether these begin with a dot is up to
// parent_domain_matches_subdomains.
func (p *planner) domains(domain string, partial bool, feature string) {
	dotted := !p.inList("parent_domain_matches_subdomains", feature)
	if dotted {
		p.note("%s is not in parent_domain_matches_subdomains: parent domains are looked up with a dot in front", feature)
	} else {
		p.note("%s is in parent_domain_matches_subdomains: parent domains are looked up as they are", feature)
	}
	why := "domain"
	for name := domain; name != ""; {
		p.add(name, why, partial)
		dot := strings.IndexByte(name[1:], '.')
		if dot < 0 {
			return
		}
		name = name[1+dot:]
		if !dotted {
			name = name[1:]
		}
		partial, why = true, "parent domain"
	}
}

// param returns a parameter, or nothing when there is none.
func (s *Settings) param(name string) string {
	value, _ := s.Param(name)
	return value
}
