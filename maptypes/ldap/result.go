package ldap

import (
	"errors"
	"fmt"
	"strings"

	client "github.com/go-ldap/ldap/v3"

	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// resultError is a server's answer that is not a success.
type resultError struct {
	code       int // RFC 4511, appendix A
	diagnostic string
	err        *client.Error
}

func (e *resultError) Error() string {
	return fmt.Sprintf("%d: %s%s", e.code, resultText(e.code), e.detail())
}

// detail is what the server says besides the code, after a colon.
func (e *resultError) detail() string {
	if e.diagnostic == "" {
		return ""
	}
	return ": " + e.diagnostic
}

// errUnreachable is the loss of a connection, in the words of the C library.
var errUnreachable = errors.New("-1: Can't contact LDAP server")

// lastResult is the largest code that can come from a server; beyond are the
// library's own.
const lastResult = client.ErrorNetwork - 1

// reason returns an error of the library as a resultError if it is the server's
// answer. Another one is a loss of the connection, or has to do with TLS.
func reason(err error) error {
	var e *client.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &e):
		return errUnreachable
	case e.ResultCode <= lastResult:
		return &resultError{code: int(e.ResultCode), diagnostic: e.Err.Error(), err: e}
	case strings.HasPrefix(e.Err.Error(), "TLS handshake failed"):
		return e.Err
	}
	return errUnreachable
}

// lost marks the errors after which a connection is of no more use: it is gone,
// or the server says that the fault is in itself or in what it thinks of this
// connection (an Active Directory that wants a bind says "operations error").
func lost(err error) error {
	var answer *resultError
	if errors.As(err, &answer) {
		switch answer.code {
		case client.LDAPResultOperationsError, client.LDAPResultBusy, client.LDAPResultUnavailable:
		default:
			return err
		}
	}
	return backend.Lost(err)
}

// resultTexts are the names of result codes that OpenLDAP's library prints, and
// that log watchers look for.
var resultTexts = map[int]string{
	client.LDAPResultOperationsError:              "Operations error",
	client.LDAPResultProtocolError:                "Protocol error",
	client.LDAPResultTimeLimitExceeded:            "Time limit exceeded",
	client.LDAPResultSizeLimitExceeded:            "Size limit exceeded",
	client.LDAPResultAuthMethodNotSupported:       "Authentication method not supported",
	client.LDAPResultStrongAuthRequired:           "Strong(er) authentication required",
	client.LDAPResultReferral:                     "Referral",
	client.LDAPResultAdminLimitExceeded:           "Administrative limit exceeded",
	client.LDAPResultUnavailableCriticalExtension: "Critical extension is unavailable",
	client.LDAPResultConfidentialityRequired:      "Confidentiality required",
	client.LDAPResultNoSuchAttribute:              "No such attribute",
	client.LDAPResultUndefinedAttributeType:       "Undefined attribute type",
	client.LDAPResultInappropriateMatching:        "Inappropriate matching",
	client.LDAPResultInvalidAttributeSyntax:       "Invalid syntax",
	client.LDAPResultNoSuchObject:                 "No such object",
	client.LDAPResultAliasProblem:                 "Alias problem",
	client.LDAPResultInvalidDNSyntax:              "Invalid DN syntax",
	client.LDAPResultAliasDereferencingProblem:    "Alias dereferencing problem",
	client.LDAPResultInappropriateAuthentication:  "Inappropriate authentication",
	client.LDAPResultInvalidCredentials:           "Invalid credentials",
	client.LDAPResultInsufficientAccessRights:     "Insufficient access",
	client.LDAPResultBusy:                         "Server is busy",
	client.LDAPResultUnavailable:                  "Server is unavailable",
	client.LDAPResultUnwillingToPerform:           "Server is unwilling to perform",
	client.LDAPResultLoopDetect:                   "Loop detected",
	client.LDAPResultAffectsMultipleDSAs:          "Operation affects multiple DSAs",
	client.LDAPResultOther:                        "Other (e.g., implementation specific) error",
}

func resultText(code int) string {
	if text, ok := resultTexts[code]; ok {
		return text
	}
	return "Unknown error"
}
