package sessions

import "testing"

func TestGroupDisplayNames(t *testing.T) {
	for _, tt := range []struct {
		chat groupChat
		want string
	}{
		{groupChat{channel: "WhatsApp", id: "120363@g.us"}, "whatsapp:g-120363@g.us"},
		{groupChat{channel: "slack", groupChannel: "#general", space: "Acme Corp"}, "slack:acme-corp#general"},
		{groupChat{channel: "slack", groupChannel: "general", space: "Acme"}, "slack:acme#general"},
		{groupChat{channel: "slack", groupChannel: "#dev"}, "slack:#dev"},
		{groupChat{channel: "slack", space: "OnlySpace"}, "slack:g-onlyspace"},
		{groupChat{channel: "telegram", subject: "Family & Friends!! 2026"}, "telegram:g-family-friends-2026"},
		{groupChat{channel: "discord", subject: "#topic"}, "discord:g-topic"},
		{groupChat{channel: "discord", subject: "g-already"}, "discord:g-already"},
		{groupChat{channel: "discord", subject: "@mention"}, "discord:@mention"},
		{groupChat{channel: " Telegram ", key: "agent:main:x1"}, "telegram:g-agent-main-x1"},
		{groupChat{channel: "matrix", id: "a:b:c"}, "matrix:g-a-b-c"},
		{groupChat{channel: "discord", subject: "家庭群 2"}, "discord:g-家庭群-2"},
		{groupChat{channel: "discord", subject: "!!! ---"}, "discord"},
		{groupChat{channel: "x", subject: "-.a.-"}, "x:g-a"},
	} {
		if got := tt.chat.displayName(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.chat, got, tt.want)
		}
	}
}
