package auth

import (
	"strings"

	"github.com/parleyd/parley/internal/protocol"
)

// Reason says why credentials were refused; it is told as details.authReason.
type Reason string

// The reasons that have words of their own. The others are those of a trusted
// proxy and begin with trusted_proxy_.
const (
	TokenMissing          Reason = "token_missing"
	TokenMismatch         Reason = "token_mismatch"
	TokenNotConfigured    Reason = "token_missing_config"
	PasswordMissing       Reason = "password_missing"
	PasswordMismatch      Reason = "password_mismatch"
	PasswordNotConfigured Reason = "password_missing_config"
	DeviceTokenMismatch   Reason = "device_token_mismatch"
	BootstrapTokenInvalid Reason = "bootstrap_token_invalid"
	RateLimited           Reason = "rate_limited"
)

// The reasons of a trusted proxy; a missing header's name is appended to the
// third.
const (
	proxyUntrusted     Reason = "trusted_proxy_untrusted_source"
	proxyNotConfigured Reason = "trusted_proxy_config_missing"
	proxyMissingHeader Reason = "trusted_proxy_missing_header_"
	proxyNoUser        Reason = "trusted_proxy_user_missing"
	proxyWrongUser     Reason = "trusted_proxy_user_not_allowed"
)

// Refuse is the answer to a connect whose credentials were refused, in the
// words for that kind of client.
func Refuse(r Reason, client protocol.Client, canRetry bool) *protocol.Error {
	w := wordsOf(r)
	next := w.next
	if canRetry {
		next = "retry_with_device_token"
	}
	message := "unauthorized"
	if w.message != "" {
		message += ": " + strings.ReplaceAll(w.message, "<hint>", hint(r, client))
	}
	return protocol.Invalidf("%s", message).WithDetails(struct {
		Code     string `json:"code"`
		Reason   Reason `json:"authReason"`
		CanRetry bool   `json:"canRetryWithDeviceToken"`
		Next     string `json:"recommendedNextStep"`
	}{w.code, r, canRetry, next})
}

type words struct{ message, code, next string }

// wordsOf is the table of spec/protocol.md 5.3; clients switch on code and next.
func wordsOf(r Reason) words {
	const configuration, credentials, review = "update_auth_configuration", "update_auth_credentials", "review_auth_configuration"
	switch r {
	case TokenMissing:
		return words{"gateway token missing (<hint>)", "AUTH_TOKEN_MISSING", configuration}
	case TokenMismatch:
		return words{"gateway token mismatch (<hint>)", "AUTH_TOKEN_MISMATCH", credentials}
	case TokenNotConfigured:
		return words{"gateway token not configured on gateway (set gateway.auth.token)", "AUTH_TOKEN_NOT_CONFIGURED", configuration}
	case PasswordMissing:
		return words{"gateway password missing (<hint>)", "AUTH_PASSWORD_MISSING", configuration}
	case PasswordMismatch:
		return words{"gateway password mismatch (<hint>)", "AUTH_PASSWORD_MISMATCH", credentials}
	case PasswordNotConfigured:
		return words{"gateway password not configured on gateway (set gateway.auth.password)", "AUTH_PASSWORD_NOT_CONFIGURED", configuration}
	case DeviceTokenMismatch:
		return words{"device token mismatch (rotate/reissue device token)", "AUTH_DEVICE_TOKEN_MISMATCH", credentials}
	case BootstrapTokenInvalid:
		return words{"bootstrap token invalid or expired (scan a fresh setup code)", "AUTH_BOOTSTRAP_TOKEN_INVALID", review}
	case RateLimited:
		return words{"too many failed authentication attempts (retry later)", "AUTH_RATE_LIMITED", "wait_then_retry"}
	}
	return words{"", "AUTH_UNAUTHORIZED", review}
}

// hint tells the person behind a client where to put the secret.
func hint(r Reason, client protocol.Client) string {
	password := r == PasswordMissing || r == PasswordMismatch
	switch {
	case client.CLI() && password:
		return "set gateway.remote.password to match gateway.auth.password"
	case client.CLI():
		return "set gateway.remote.token to match gateway.auth.token"
	case (client.ControlUI() || client.Webchat()) && password:
		return "enter the password in Control UI settings"
	case client.ControlUI() || client.Webchat():
		return "open the dashboard URL and paste the token in Control UI settings"
	case password:
		return "provide gateway auth password"
	}
	return "provide gateway auth token"
}
