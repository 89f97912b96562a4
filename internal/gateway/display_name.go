package gateway

import (
	"strings"
	"unicode"

	"github.com/parleyd/parley/internal/jstext"
)

// groupChat is what the display name of a chat is made of; texts may be empty.
type groupChat struct {
	channel, subject, groupChannel, space string
	id                                    string // the id in a group key
	key                                   string
}

// displayName is "channel:slug" (spec: sessions 5.1).
func (c groupChat) displayName() string {
	prefix := jstext.Lower(jstext.Trim(c.channel))
	if prefix == "" {
		prefix = "group"
	}
	detail := c.detail()
	slug := nameSlug(detail)
	if slug == "" {
		slug = nameSlug(shortID(detail))
	}
	if c.groupChannel == "" {
		slug = strings.TrimLeft(slug, "#")
	}
	if slug == "" {
		return prefix
	}
	if !strings.HasPrefix(slug, "@") && !strings.HasPrefix(slug, "g-") && !strings.Contains(slug, "#") {
		slug = "g-" + slug
	}
	return prefix + ":" + slug
}

// detail is the text that says most about the chat.
func (c groupChat) detail() string {
	channel, space := jstext.Trim(c.groupChannel), jstext.Trim(c.space)
	if channel != "" && space != "" {
		if strings.HasPrefix(channel, "#") {
			return space + channel
		}
		return space + "#" + channel
	}
	for _, s := range []string{channel, jstext.Trim(c.subject), space, jstext.Trim(c.id)} {
		if s != "" {
			return s
		}
	}
	return c.key
}

// nameSlug makes a text one word: lower case, letters and digits of every
// script, and # @ . _ + -.
func nameSlug(s string) string {
	var b strings.Builder
	dash := false
	for _, r := range jstext.Lower(jstext.Trim(s)) {
		if r != '-' && nameRune(r) {
			b.WriteRune(r)
			dash = false
		} else if !dash {
			b.WriteByte('-')
			dash = true
		}
	}
	return strings.Trim(b.String(), "-.")
}

func nameRune(r rune) bool {
	return strings.ContainsRune("#@._+", r) || unicode.In(r, unicode.L, unicode.M, unicode.Nd)
}

// shortID keeps both ends of a long id.
func shortID(s string) string {
	s = jstext.Trim(s)
	if r := []rune(s); len(r) > 14 {
		return string(r[:6]) + "..." + string(r[len(r)-4:])
	}
	return s
}
