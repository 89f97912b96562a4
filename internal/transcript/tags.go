package transcript

import (
	"regexp"
	"strings"
)

// space is JavaScript's \s.
const space = `[\s\v\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}]`

var (
	audioTags = regexp.MustCompile(`(?i)\[\[` + space + `*audio_as_voice` + space + `*\]\]`)
	replyTags = regexp.MustCompile(`(?i)\[\[` + space + `*(?:reply_to_current|reply_to` + space + `*:` + space + `*[^\]\n]+)` + space + `*\]\]`)

	envelopes    = regexp.MustCompile(`^\[([^\]]+)\]` + space + `*`)
	envelopeDate = regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}Z\b|\d{4}-\d{2}-\d{2} \d{2}:\d{2}\b`)
)

// channels are the names that the envelope of a message may begin with.
var channels = [...]string{
	"WebChat", "WhatsApp", "Telegram", "Signal", "Slack", "Discord", "Google Chat", "iMessage", "Teams",
	"Matrix", "Zalo", "Zalo Personal", "BlueBubbles",
}

// StripTags removes the directive tags that steer delivery and are not for
// people: [[audio_as_voice]], [[reply_to_current]] and [[reply_to: <id>]], in
// any case and with spaces inside. Nothing is trimmed.
func StripTags(s string) string {
	if !strings.Contains(s, "[[") {
		return s
	}
	return replyTags.ReplaceAllLiteralString(audioTags.ReplaceAllLiteralString(s, ""), "")
}

// stripEnvelope removes the leading block in which a channel names sender and
// time, if the text begins with one.
func stripEnvelope(s string) string {
	m := envelopes.FindStringSubmatchIndex(s)
	if m == nil || !isEnvelope(s[m[2]:m[3]]) {
		return s
	}
	return s[m[1]:]
}

func isEnvelope(head string) bool {
	if envelopeDate.MatchString(head) {
		return true
	}
	for _, name := range channels {
		if strings.HasPrefix(head, name+" ") {
			return true
		}
	}
	return false
}
