package gateway

import (
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
)

// namedAgent is the agent that an agent.identity.get asks for: that of agentId,
// that of the session key, or the default one. Where both are given they must
// agree.
func (g *Gateway) namedAgent(p protocol.AgentIdentityGetParams) (string, error) {
	const prefix = "invalid agent.identity.get params: "
	named, key := jstext.Trim(p.AgentID), jstext.Trim(p.SessionKey)
	switch {
	case key == "" && named == "":
		return g.cfg().DefaultAgent(), nil
	case key == "":
		return sessions.NormalizeAgentID(named), nil
	}
	agent, _, ok := sessions.ParseKey(key)
	switch {
	case ok:
		agent = sessions.NormalizeAgentID(agent)
	case strings.HasPrefix(jstext.Lower(key), "agent:"):
		return "", protocol.Invalidf("%smalformed session key \"%s\"", prefix, key)
	default:
		agent = g.cfg().DefaultAgent()
	}
	if named != "" && sessions.NormalizeAgentID(named) != agent {
		return "", protocol.Invalidf("%sagent \"%s\" does not match session key agent \"%s\"", prefix, named, agent)
	}
	return agent, nil
}

// assistant is what people see of an agent.
type assistant struct{ name, avatar, emoji string }

// Limits in UTF-16 units; longer texts are cut.
const (
	maxNameUnits   = 50
	maxAvatarUnits = 200
	maxEmojiUnits  = 16
	maxWordAvatar  = 4
)

// newAssistant picks name, avatar and emoji: what the configuration says of
// the page comes first, then the agent's configured identity, then its file.
func newAssistant(ui config.UI, own, file config.Identity) assistant {
	a := assistant{name: "Assistant", avatar: "A"}
	for _, s := range []string{ui.AssistantName, own.Name, file.Name} {
		if s != "" {
			a.name = jstext.Cut(s, maxNameUnits)
			break
		}
	}
	for _, s := range []string{ui.AssistantAvatar, own.Avatar, own.Emoji, file.Avatar, file.Emoji} {
		if s = jstext.Cut(s, maxAvatarUnits); usableAvatar(s) {
			a.avatar = s
			break
		}
	}
	for _, s := range []string{own.Emoji, file.Emoji, own.Avatar, file.Avatar} {
		if s = jstext.Cut(s, maxEmojiUnits); usableEmoji(s) {
			a.emoji = s
			break
		}
	}
	return a
}

var (
	avatarURLStart = regexp.MustCompile(`(?i)^(?:https?://|data:image/)`)
	avatarFile     = regexp.MustCompile(`(?i)[\\/]|\.(?:png|jpe?g|gif|webp|svg|ico)$`)
	urlScheme      = regexp.MustCompile(`(?i)^[a-z][a-z0-9+.-]*:`)
)

// urlAvatar reports whether an avatar is an image's address.
func urlAvatar(s string) bool { return avatarURLStart.MatchString(s) }

// pathAvatar reports whether an avatar looks like a file's path.
func pathAvatar(s string) bool { return avatarFile.MatchString(s) }

func usableAvatar(s string) bool {
	if s == "" || urlAvatar(s) || pathAvatar(s) {
		return s != ""
	}
	return jstext.Len(s) <= maxWordAvatar && !strings.ContainsFunc(s, jstext.IsSpace)
}

func usableEmoji(s string) bool {
	beyondASCII := strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
	return beyondASCII && !urlAvatar(s) && !pathAvatar(s)
}

// Limits of what is read from a workspace.
const (
	maxIdentityBytes = 256 << 10
	maxAvatarBytes   = 2 << 20
)

// fileIdentity is what IDENTITY.md in an agent's workspace says, if anything:
// lines such as "- Name: …".
func fileIdentity(workspace string) config.Identity {
	var i config.Identity
	text, err := readInside(workspace, "IDENTITY.md", maxIdentityBytes)
	if err != nil {
		return i // the file is optional
	}
	for line := range strings.Lines(string(text)) {
		label, value, ok := strings.Cut(strings.TrimPrefix(jstext.Trim(line), "-"), ":")
		value = strings.TrimFunc(value, func(r rune) bool { return r == '*' || r == '_' || jstext.IsSpace(r) })
		if !ok || value == "" || placeholder(value) {
			continue
		}
		switch jstext.Lower(jstext.Trim(strings.NewReplacer("*", "", "_", "").Replace(label))) {
		case "name":
			i.Name = value
		case "emoji":
			i.Emoji = value
		case "avatar":
			i.Avatar = value
		case "theme":
			i.Theme = value
		}
	}
	return i
}

// placeholders are what OpenClaw's template of the file says where nobody has
// filled it in.
var placeholders = []string{
	"pick something you like",
	"ai? robot? familiar? ghost in the machine? something weirder?",
	"how do you come across? sharp? warm? chaotic? calm?",
	"your signature - pick one that feels right",
	"workspace-relative path, http(s) url, or data uri",
}

// placeholder reports whether a value is one of placeholders, in parentheses or
// not.
func placeholder(value string) bool {
	value = strings.NewReplacer("–", "-", "—", "-").Replace(jstext.CollapseSpace(jstext.Lower(value)))
	if inner, ok := strings.CutPrefix(value, "("); ok {
		value = strings.TrimSuffix(inner, ")")
	}
	return slices.Contains(placeholders, value)
}

// avatarURL is an avatar as a browser can show it: an address as it is, a file
// in the workspace as its content, else "".
func avatarURL(workspace, avatar string) string {
	lower := strings.ToLower(avatar)
	if avatar == "" || strings.HasPrefix(lower, "data:") || strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://") {
		return avatar
	}
	content, err := readWorkspace(workspace, avatar)
	if err != nil {
		return ""
	}
	return "data:" + imageType(avatar) + ";base64," + base64.StdEncoding.EncodeToString(content)
}

// readWorkspace reads the avatar that a path in a workspace names.
func readWorkspace(workspace, avatar string) ([]byte, error) {
	if strings.HasPrefix(avatar, "~") || urlScheme.MatchString(avatar) {
		return nil, errNotPlain
	}
	if filepath.IsAbs(avatar) {
		rel, err := filepath.Rel(workspace, avatar)
		if err != nil {
			return nil, err
		}
		avatar = rel
	}
	return readInside(workspace, avatar, maxAvatarBytes)
}

func imageType(path string) string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".webp":
		return "image/webp"
	case ".gif":
		return "image/gif"
	case ".svg":
		return "image/svg+xml"
	case ".bmp":
		return "image/bmp"
	case ".tif", ".tiff":
		return "image/tiff"
	}
	return "application/octet-stream"
}

var errNotPlain = errors.New("not a regular file of moderate size")

// readInside reads a regular file of at most limit bytes that lies in dir,
// also when symbolic links are followed.
func readInside(dir, name string, limit int64) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Opening a pipe would wait for its other end: look before.
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, errNotPlain
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = errNotPlain
	}
	return content, err
}
