package postmap

import (
	"errors"
	"fmt"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
)

// proxyType is the map type of tables behind a proxymap(8) service.
const proxyType = "proxy"

// table is an open table. Its request keeps the flags that requests change.
type table struct {
	*maptypes.Handle
	request maptypes.Request
	spec    string // "type:name" as it was opened
}

// split returns type and name of an operand, [type:]name.
func (p *program) split(operand string) (typ, name string) {
	typ, name, ok := strings.Cut(operand, ":")
	if !ok {
		return p.defaultType, operand
	}
	return typ, name
}

// open opens the table that an operand names.
func (p *program) open(operand string, mode maptypes.Mode, flags maptypes.Flags) (*table, error) {
	typ, name := p.split(operand)
	spec := typ + ":" + name
	h, err := p.env.Registry.Open(p.env, spec, mode, flags)
	if err != nil {
		return nil, err
	}
	return &table{Handle: h, request: maptypes.Request{Flags: h.Flags()}, spec: spec}, nil
}

// writeMode is the mode of opening a table to delete from it: it must exist,
// except that only the server knows about one behind a proxy.
func (p *program) writeMode(operand string) maptypes.Mode {
	if typ, _ := p.split(operand); typ == proxyType {
		return maptypes.Create
	}
	return maptypes.ReadWrite
}

// failure is the error that ends the command when a request has failed. What
// nobody can answer before something is mended has a text that stands alone, as in
// Postfix. What may pass has been a warning there, before the line that people look
// for; its last words are Postfix's for an error without a number.
func (p *program) failure(t *table, operation string, err error) error {
	reason := maptypes.Reason(err)
	config := maptypes.Class(err) == maptypes.ErrConfig
	switch {
	case config && reason != "":
		return errors.New(reason)
	case config && operation == "query":
		return fmt.Errorf("table %s: query error", t.Label())
	case reason != "":
		p.log.Warn(reason)
	}
	return fmt.Errorf("table %s: %s error: Application error", t.Label(), operation)
}

// warnEmpty warns of an empty value. In Postfix's programs it has no meaning.
func (p *program) warnEmpty(label string, key []byte) {
	p.log.Warnf("table %s: key %s: empty string result is not allowed", label, key)
	p.log.Warnf("table %s should return NO RESULT in case of NOT FOUND", label)
}
