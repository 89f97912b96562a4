package sessions

import (
	"strings"
	"unicode"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Channel is the entry's channel, or the one that its group key names, nil when
// there is none.
func Channel(key string, e Entry) rawjson.Value {
	if v := e.Value("channel"); !rawjson.Null(v) {
		return v
	}
	if channel, _, ok := GroupChannel(key); ok {
		return rawjson.MustMarshal(channel)
	}
	return nil
}

// DisplayName is the name that a person gave, or one made from what is known of
// the chat; nil when there is none.
func DisplayName(key string, e Entry) rawjson.Value {
	if v := e.Value("displayName"); !rawjson.Null(v) {
		return v
	}
	if name, _ := rawjson.Text(Channel(key, e)); name != "" {
		_, id, _ := GroupChannel(key)
		return rawjson.MustMarshal(groupChat{
			channel: name, subject: e.Text("subject"), groupChannel: e.Text("groupChannel"), space: e.Text("space"), id: id, key: key,
		}.displayName())
	}
	if v := e.Value("label"); !rawjson.Null(v) {
		return v
	}
	origin, err := rawjson.Parse(e.Value("origin"))
	if err != nil {
		return nil
	}
	if v := origin.Get("label"); !rawjson.Null(v) {
		return v
	}
	return nil
}

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
