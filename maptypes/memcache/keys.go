package memcache

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/query"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// keys makes the server's keys out of lookup keys.
type keys struct {
	rules   query.Rules
	format  *query.Template
	domains *query.Domains      // or nil
	digest  func([]byte) []byte // or nil
}

// newKeys reads key_format, key_digest and domain.
func newKeys(env *maptypes.Env, name string, cf *tablecf.Settings) (*keys, error) {
	k := &keys{}
	var err error
	if k.format, err = k.rules.AddQuery(name, cf.String("key_format", "%s")); err != nil {
		return nil, err
	}
	if digest := cf.String("key_digest", ""); digest != "" {
		if k.digest = digests[canonical(digest)]; k.digest == nil {
			return nil, maptypes.Configf("open %s: key digest %s is not available", name, digest)
		}
	}
	if list := cf.String("domain", ""); list != "" {
		if k.domains, err = query.OpenDomains(env, name, list); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// make returns the server's key, or why there can be no entry for a lookup key. The
// error is that of the list of domains.
func (k *keys) make(ctx context.Context, name []byte) (key []byte, skip string, err error) {
	if len(name) == 0 {
		return nil, "empty lookup key", nil
	}
	if ok, err := k.inDomains(ctx, name); err != nil {
		return nil, "", err
	} else if !ok {
		return nil, "domain mismatch", nil
	}
	var parts query.Parts
	if k.rules.Key(&parts, name) {
		key = k.format.Append(nil, &parts, &parts, nil)
	}
	switch {
	case len(key) == 0:
		return nil, "empty lookup key expansion", nil
	case k.digest != nil:
		key = hex.AppendEncode(nil, k.digest(key))
	case bytes.ContainsAny(key, " \t\n\v\f\r"):
		return nil, "name contains space", nil
	}
	return key, "", nil
}

// inDomains asks the list of domains about a key. A list that cannot be asked does
// not mean that the key has no entry.
func (k *keys) inDomains(ctx context.Context, name []byte) (bool, error) {
	if k.domains == nil {
		return true, nil
	}
	at := bytes.LastIndexByte(name, '@')
	if at <= 0 { // no domain, or nobody in it
		return false, nil
	}
	return k.domains.Match(ctx, name[at+1:])
}

// files names the files of the list of domains.
func (k *keys) files() []string {
	if k.domains == nil {
		return nil
	}
	return k.domains.Files()
}

func (k *keys) close() {
	if k.domains != nil {
		k.domains.Close()
	}
}

// digests are the message digests of key_digest, by their OpenSSL names in lower
// case.
var digests = map[string]func([]byte) []byte{
	"md5":        func(b []byte) []byte { d := md5.Sum(b); return d[:] },
	"sha1":       func(b []byte) []byte { d := sha1.Sum(b); return d[:] },
	"sha224":     func(b []byte) []byte { d := sha256.Sum224(b); return d[:] },
	"sha256":     func(b []byte) []byte { d := sha256.Sum256(b); return d[:] },
	"sha384":     func(b []byte) []byte { d := sha512.Sum384(b); return d[:] },
	"sha512":     func(b []byte) []byte { d := sha512.Sum512(b); return d[:] },
	"sha512-224": func(b []byte) []byte { d := sha512.Sum512_224(b); return d[:] },
	"sha512-256": func(b []byte) []byte { d := sha512.Sum512_256(b); return d[:] },
	"sha3-224":   func(b []byte) []byte { d := sha3.Sum224(b); return d[:] },
	"sha3-256":   func(b []byte) []byte { d := sha3.Sum256(b); return d[:] },
	"sha3-384":   func(b []byte) []byte { d := sha3.Sum384(b); return d[:] },
	"sha3-512":   func(b []byte) []byte { d := sha3.Sum512(b); return d[:] },
}

// canonical turns the other names that OpenSSL has for digests, SHA-256 and
// SHA2-256, SHA2-512/256 and so on, into those of digests.
func canonical(name string) string {
	name = strings.ReplaceAll(strings.ToLower(name), "/", "-")
	if number, ok := strings.CutPrefix(name, "sha2-"); ok {
		name = "sha" + number
	}
	if number, ok := strings.CutPrefix(name, "sha-"); ok {
		name = "sha" + number
	}
	return name
}
