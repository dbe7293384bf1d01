package config

import (
	"golang.org/x/net/idna"
)

// expandFunctions are the functions of the form ${name{text}}.
var expandFunctions = map[string]func(string) (string, error){
	"domain_to_ascii": domainToASCII,
	"domain_to_utf8":  domainToUTF8,
}

// idnaProfile converts domain names as the mail system looks them up (non-transitional UTS 46, RFC 5891).
var idnaProfile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

func domainToASCII(name string) (string, error) {
	if isASCII(name) {
		return name, nil
	}
	return idnaProfile.ToASCII(name)
}

func domainToUTF8(name string) (string, error) {
	if !isASCII(name) {
		return name, nil
	}
	return idnaProfile.ToUnicode(name)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
