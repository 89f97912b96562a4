package gateway

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// uiConfig is what the Control UI asks for before it connects. It holds nothing
// that needs a secret.
type uiConfig struct {
	BasePath         string `json:"basePath"`
	AssistantName    string `json:"assistantName"`
	AssistantAvatar  string `json:"assistantAvatar"`
	AssistantAgentID string `json:"assistantAgentId"`
	ServerVersion    string `json:"serverVersion"`
}

func (g *Gateway) uiConfig() uiConfig {
	id := g.cfg().DefaultAgent()
	a := g.assistant(id)
	c := uiConfig{g.cfg().Gateway.ControlUI.BasePath, a.name, a.avatar, id, g.version}
	if !urlAvatar(a.avatar) && pathAvatar(a.avatar) {
		c.AssistantAvatar = g.avatarPath(id)
	}
	return c
}

// avatarPath is where an agent's local image is served.
func (g *Gateway) avatarPath(agent string) string {
	return g.cfg().Gateway.ControlUI.BasePath + "/avatar/" + agent
}

var avatarOwner = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// serveAvatar gives an agent's image if it is a file, or, with meta=1, says
// where the image is.
func (g *Gateway) serveAvatar(w http.ResponseWriter, r *http.Request, agent string) {
	if !avatarOwner.MatchString(agent) {
		text(w, http.StatusNotFound, notFound)
		return
	}
	i := g.agentImage(sessions.NormalizeAgentID(agent))
	switch {
	case queryText(r.URL.RawQuery, "meta") == "1":
		w.Header().Set("Cache-Control", "no-cache")
		reply(w, http.StatusOK, g.avatarMeta(agent, i))
	case i.content == nil:
		text(w, http.StatusNotFound, notFound)
	default:
		w.Header().Set("Content-Type", i.contentType)
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(i.content) // the client may be gone; nobody to tell
	}
}

func (g *Gateway) avatarMeta(agent string, i image) rawjson.Value {
	url := rawjson.Value("null")
	switch {
	case i.content != nil:
		url = rawjson.MustMarshal(g.avatarPath(agent))
	case i.url != "":
		url = rawjson.MustMarshal(i.url)
	}
	return rawjson.NewObject(rawjson.Member{Name: "avatarUrl", Value: url}).JSON()
}

// image is an agent's image: an address, or the content of a file.
type image struct {
	url         string
	content     []byte
	contentType string
}

// agentImage is the first avatar of an agent that is an image: what the
// configuration says, then the agent's file. The page shows its own avatar, when
// that is a file, as the default agent's image, so that comes last. Nobody has to
// prove anything to see it, so only files that bear an image's name are read, and
// none outside the workspace.
func (g *Gateway) agentImage(agent string) image {
	workspace := g.cfg().Workspace(agent)
	var avatars []string
	if a, _ := g.cfg().Agent(agent); a.Identity != nil {
		avatars = append(avatars, a.Identity.Avatar)
	}
	avatars = append(avatars, fileIdentity(workspace).Avatar)
	if own := g.cfg().UI.AssistantAvatar; agent == g.cfg().DefaultAgent() && !urlAvatar(own) {
		avatars = append(avatars, own)
	}
	for _, avatar := range avatars {
		if urlAvatar(avatar) {
			return image{url: avatar}
		}
		kind := imageType(avatar)
		if !strings.HasPrefix(kind, "image/") {
			continue
		}
		if content, err := readWorkspace(workspace, avatar); err == nil {
			return image{content: content, contentType: kind}
		}
	}
	return image{}
}
