package sessionstest

// refusal is one text by which calls are refused, as clients know it, and the
// calls that provoke it. <names> stand for what the calls fill in, in order.
type refusal struct {
	section string // of the rules
	code    string
	text    string
	calls   []attempt
}

// attempt is one call, of a client at a place; see places.
type attempt struct {
	place, method, params string
	fill                  []string
}

func at(place, method, params string, fill ...string) attempt {
	return attempt{place, method, params, fill}
}

const (
	invalid     = "INVALID_REQUEST"
	unavailable = "UNAVAILABLE"
)

// The faults that more than one call has.
const (
	noSuchLevel = `; at /thinkingLevel: must be null; at /thinkingLevel: must match a schema in anyOf`
	noSuchWord  = `must be equal to constant; at /sendPolicy: must be null; at /sendPolicy: must match a schema in anyOf`
)

// refusals are all of them, by section.
var refusals = []refusal{
	{"sessions 1", invalid, "missing scope: <scope>", []attempt{
		at("nobody", "sessions.list", `{}`, "operator.read"),
		at("nobody", "sessions.subscribe", ``, "operator.read"),
		at("nobody", "sessions.unsubscribe", ``, "operator.read"),
		at("nobody", "sessions.messages.subscribe", `{}`, "operator.read"),
		at("nobody", "sessions.messages.unsubscribe", `[]`, "operator.read"),
		at("nobody", "sessions.preview", `{}`, "operator.read"),
		at("nobody", "sessions.resolve", `{}`, "operator.read"),
		at("nobody", "sessions.get", `{}`, "operator.read"),
		at("nobody", "agents.list", `{"x":1}`, "operator.read"),
		at("nobody", "models.list", `{}`, "operator.read"),
		at("nobody", "agent.identity.get", `{}`, "operator.read"),
		at("nobody", "sessions.usage", `{}`, "operator.read"),
		at("nobody", "sessions.usage.timeseries", `{}`, "operator.read"),
		at("nobody", "sessions.usage.logs", `{}`, "operator.read"),
		at("reader", "sessions.create", `{"key":5}`, "operator.write"),
		at("reader", "sessions.send", `{}`, "operator.write"),
		at("reader", "sessions.steer", `{}`, "operator.write"),
		at("reader", "sessions.abort", `{}`, "operator.write"),
		at("reader", "sessions.patch", `{}`, "operator.admin"),
		at("writer", "sessions.patch", `{"key":" "}`, "operator.admin"),
		at("writer", "sessions.reset", `{"key":"a","x":1}`, "operator.admin"),
		at("writer", "sessions.delete", `{"key":"main"}`, "operator.admin"),
		at("writer", "sessions.compact", `{}`, "operator.admin"),
	}},
	{"sessions 1", invalid, "invalid <method> params: <faults>", []attempt{
		at("", "sessions.list", `[]`, "sessions.list", `must be object`),
		at("", "sessions.list", `"x"`, "sessions.list", `must be object`),
		at("", "sessions.list", `{"foo":1,"limit":0,"bar":2}`, "sessions.list", `at root: unexpected property 'foo'; at root: unexpected property 'bar'; at /limit: must be >= 1`),
		at("", "sessions.list", `{"limit":1.5}`, "sessions.list", `at /limit: must be integer`),
		at("", "sessions.list", `{"limit":null}`, "sessions.list", `at /limit: must be integer`),
		at("", "sessions.list", `{"activeMinutes":0,"includeGlobal":"yes","label":"","search":1}`, "sessions.list",
			`at /activeMinutes: must be >= 1; at /includeGlobal: must be boolean; at /label: must NOT have fewer than 1 characters; at /search: must be string`),
		at("", "sessions.list", `{"includeUnknown":0,"includeDerivedTitles":null,"includeLastMessage":1,"spawnedBy":"","agentId":5}`, "sessions.list",
			`at /includeUnknown: must be boolean; at /includeDerivedTitles: must be boolean; at /includeLastMessage: must be boolean; at /spawnedBy: must NOT have fewer than 1 characters; at /agentId: must be string`),
		at("", "sessions.list", `{"label":"<513>"}`, "sessions.list", `at /label: must NOT have more than 512 characters`),
		at("", "sessions.messages.subscribe", `{}`, "sessions.messages.subscribe", `must have required property 'key'`),
		at("", "sessions.messages.subscribe", `{"key":""}`, "sessions.messages.subscribe", `at /key: must NOT have fewer than 1 characters`),
		at("", "sessions.messages.unsubscribe", `{"key":1}`, "sessions.messages.unsubscribe", `at /key: must be string`),
		at("", "sessions.preview", `{"keys":"a"}`, "sessions.preview", `at /keys: must be array`),
		at("", "sessions.preview", `{"keys":[]}`, "sessions.preview", `at /keys: must NOT have fewer than 1 items`),
		at("", "sessions.preview", `{"keys":["",7],"limit":0,"maxChars":19}`, "sessions.preview",
			`at /keys/0: must NOT have fewer than 1 characters; at /keys/1: must be string; at /limit: must be >= 1; at /maxChars: must be >= 20`),
		at("", "sessions.preview", ``, "sessions.preview", `must have required property 'keys'`),
		at("", "sessions.resolve", `{"key":"","sessionId":""}`, "sessions.resolve", `at /key: must NOT have fewer than 1 characters; at /sessionId: must NOT have fewer than 1 characters`),
		at("", "sessions.create", `{"key":"","task":1,"message":2}`, "sessions.create", `at /key: must NOT have fewer than 1 characters; at /task: must be string; at /message: must be string`),
		at("", "sessions.create", `{"parentSessionKey":"","displayName":"x"}`, "sessions.create", `at root: unexpected property 'displayName'; at /parentSessionKey: must NOT have fewer than 1 characters`),
		at("", "sessions.patch", `null`, "sessions.patch", `must have required property 'key'`),
		at("", "sessions.patch", `{"displayName":"x"}`, "sessions.patch", `must have required property 'key'; at root: unexpected property 'displayName'`),
		at("", "sessions.patch", `{"key":"a","queueMode":"x","parentSessionKey":"x"}`, "sessions.patch", `at root: unexpected property 'queueMode'; at root: unexpected property 'parentSessionKey'`),
		at("", "sessions.patch", `{"key":"a","label":"<513>"}`, "sessions.patch", `at /label: must NOT have more than 512 characters; at /label: must be null; at /label: must match a schema in anyOf`),
		at("", "sessions.patch", `{"key":"a","thinkingLevel":5}`, "sessions.patch", `at /thinkingLevel: must be string`+noSuchLevel),
		at("", "sessions.patch", `{"key":"a","thinkingLevel":""}`, "sessions.patch", `at /thinkingLevel: must NOT have fewer than 1 characters`+noSuchLevel),
		at("", "sessions.patch", `{"key":"a","sendPolicy":"maybe"}`, "sessions.patch", `at /sendPolicy: `+noSuchWord),
		at("", "sessions.patch", `{"key":"a","sendPolicy":1}`, "sessions.patch", `at /sendPolicy: must be string; at /sendPolicy: `+noSuchWord),
		at("", "sessions.patch", `{"key":"a","fastMode":"on"}`, "sessions.patch", `at /fastMode: must be boolean; at /fastMode: must be null; at /fastMode: must match a schema in anyOf`),
		at("", "sessions.patch", `{"key":"a","responseUsage":"ON"}`, "sessions.patch", `at /responseUsage: must be equal to constant; at /responseUsage: must be null; at /responseUsage: must match a schema in anyOf`),
		at("", "sessions.patch", `{"key":"a","groupActivation":"never"}`, "sessions.patch", `at /groupActivation: must be equal to constant; at /groupActivation: must be null; at /groupActivation: must match a schema in anyOf`),
		at("", "sessions.patch", `{"key":"a","spawnDepth":-1}`, "sessions.patch", `at /spawnDepth: must be >= 0; at /spawnDepth: must be null; at /spawnDepth: must match a schema in anyOf`),
		at("webchat", "sessions.patch", `{"key":"a","x":1}`, "sessions.patch", `at root: unexpected property 'x'`),
		at("", "sessions.reset", `{"key":"a","reason":"old"}`, "sessions.reset", `at /reason: must be equal to constant; at /reason: must match a schema in anyOf`),
		at("webchat", "sessions.delete", `{"key":"a","deleteTranscript":"no","emitLifecycleHooks":1}`, "sessions.delete", `at /deleteTranscript: must be boolean; at /emitLifecycleHooks: must be boolean`),
		at("", "sessions.compact", `{"key":"a","maxLines":0}`, "sessions.compact", `at /maxLines: must be >= 1`),
		at("", "agents.list", `{"x":1}`, "agents.list", `at root: unexpected property 'x'`),
		at("", "models.list", `{"x":1}`, "models.list", `at root: unexpected property 'x'`),
		at("", "agent.identity.get", `{"agentId":"","sessionKey":1}`, "agent.identity.get", `at /agentId: must NOT have fewer than 1 characters; at /sessionKey: must be string`),
	}},
	{"sessions 1", invalid, "key required", []attempt{
		at("", "sessions.messages.subscribe", `{"key":" "}`),
		at("", "sessions.messages.unsubscribe", `{"key":"\ufeff"}`),
		at("", "sessions.patch", `{"key":" ","label":" "}`),
		at("webchat", "sessions.patch", `{"key":" "}`),
		at("", "sessions.reset", `{"key":" "}`),
		at("", "sessions.delete", `{"key":" "}`),
		at("webchat", "sessions.delete", `{"key":" "}`),
		at("", "sessions.compact", `{"key":" "}`),
		at("", "sessions.send", `{"key":" ","message":"m"}`),
		at("", "sessions.steer", `{"key":" ","message":"m"}`),
		at("", "sessions.abort", `{"key":" "}`),
	}},
	{"sessions 7", invalid, "Either key, sessionId, or label is required", []attempt{
		at("", "sessions.resolve", ``),
		at("", "sessions.resolve", `{"key":" ","sessionId":" ","label":" "}`),
	}},
	{"sessions 7", invalid, "Provide either key, sessionId, or label (not multiple)", []attempt{
		at("", "sessions.resolve", `{"key":"a","label":"taken"}`),
		at("", "sessions.resolve", `{"key":"a","sessionId":"x","label":"x"}`),
	}},
	{"sessions 7", invalid, "No session found: <text>", []attempt{
		at("", "sessions.resolve", `{"key":" No Such "}`, "No Such"),
		at("", "sessions.resolve", `{"key":"agent::x"}`, "agent::x"),
		at("", "sessions.resolve", `{"key":"a","spawnedBy":"agent:main:nobody"}`, "a"),
		at("", "sessions.resolve", `{"key":"subagent:s","spawnedBy":"main"}`, "subagent:s"),
		at("", "sessions.resolve", `{"sessionId":" no-such "}`, "no-such"),
		at("", "sessions.resolve", `{"sessionId":"id-a","agentId":"ops"}`, "id-a"),
		at("", "sessions.resolve", `{"sessionId":"id-run"}`, "id-run"),
		at("", "sessions.resolve", `{"sessionId":"id-global"}`, "id-global"),
	}},
	{"sessions 7", invalid, "Multiple sessions found for sessionId: <text> (<keys>)", []attempt{
		at("", "sessions.resolve", `{"sessionId":"twin"}`, "twin", "agent:main:twin1, agent:main:twin2, agent:ops:twin3"),
	}},
	{"sessions 7", invalid, "No session found with label: <label>", []attempt{
		at("", "sessions.resolve", `{"label":" Taken "}`, "Taken"),
		at("", "sessions.resolve", `{"label":"taken","spawnedBy":"agent:main:main"}`, "taken"),
	}},
	{"sessions 7", invalid, "Multiple sessions found with label: <label> (<key>, <key>)", []attempt{
		at("", "sessions.resolve", `{"label":" twin "}`, "twin", "agent:main:twin1", "agent:main:twin2"),
	}},
	{"sessions 9", invalid, "key required", []attempt{
		at("", "sessions.get", ``),
		at("", "sessions.get", `{"key":"","sessionKey":"a"}`),
		at("", "sessions.get", `{"key":" "}`),
		at("", "sessions.get", `{"key":null,"sessionKey":true}`),
	}},
	{"sessions 10.1", invalid, "invalid <field>: empty", []attempt{
		at("", "sessions.patch", `{"key":"subagent:new","spawnedBy":" "}`, "spawnedBy"),
		at("", "sessions.patch", `{"key":"a","spawnedBy":" "}`, "spawnedBy"),
		at("", "sessions.patch", `{"key":"subagent:new","spawnedWorkspaceDir":" "}`, "spawnedWorkspaceDir"),
		at("", "sessions.patch", `{"key":"a","label":" ","thinkingLevel":"no"}`, "label"),
		at("", "sessions.patch", `{"key":"a","execNode":" "}`, "execNode"),
		at("", "sessions.patch", `{"key":"a","model":" "}`, "model"),
		at("", "sessions.create", `{"label":" ","model":" "}`, "label"),
		at("", "sessions.create", `{"label":"free","model":" "}`, "model"),
	}},
	{"sessions 10.1", invalid, "<field> is only supported for subagent:* or acp:* sessions", []attempt{
		at("", "sessions.patch", `{"key":"a","spawnedBy":"main","label":" "}`, "spawnedBy"),
		at("", "sessions.patch", `{"key":"a","spawnedWorkspaceDir":" "}`, "spawnedWorkspaceDir"),
		at("", "sessions.patch", `{"key":"a","spawnDepth":1}`, "spawnDepth"),
		at("", "sessions.patch", `{"key":"a:subagent:x","subagentRole":"leaf"}`, "subagentRole"),
		at("", "sessions.patch", `{"key":"main","subagentControlScope":"none"}`, "subagentControlScope"),
	}},
	{"sessions 10.1", invalid, "<field> cannot be changed once set", []attempt{
		at("", "sessions.patch", `{"key":"subagent:s","spawnedBy":"agent:main:b"}`, "spawnedBy"),
		at("", "sessions.patch", `{"key":"subagent:s","spawnedWorkspaceDir":"/v"}`, "spawnedWorkspaceDir"),
		at("", "sessions.patch", `{"key":"subagent:s","spawnDepth":1}`, "spawnDepth"),
		at("", "sessions.patch", `{"key":"SUBAGENT:S","subagentRole":"orchestrator"}`, "subagentRole"),
		at("", "sessions.patch", `{"key":"subagent:s","subagentControlScope":"children"}`, "subagentControlScope"),
	}},
	{"sessions 10.1", invalid, "<field> cannot be cleared once set", []attempt{
		at("", "sessions.patch", `{"key":"subagent:s","spawnedBy":null}`, "spawnedBy"),
		at("", "sessions.patch", `{"key":"subagent:s","spawnedWorkspaceDir":null}`, "spawnedWorkspaceDir"),
		at("", "sessions.patch", `{"key":"subagent:s","spawnDepth":null}`, "spawnDepth"),
		at("", "sessions.patch", `{"key":"subagent:s","subagentRole":null}`, "subagentRole"),
		at("", "sessions.patch", `{"key":"subagent:s","subagentControlScope":null}`, "subagentControlScope"),
	}},
	{"sessions 10.1", invalid, "label already in use: <label>", []attempt{
		at("", "sessions.patch", `{"key":"a","label":" taken "}`, "taken"),
		at("", "sessions.create", `{"label":"taken","model":"/bad"}`, "taken"),
		at("", "sessions.create", `{"key":"a","label":"taken"}`, "taken"),
	}},
	{"sessions 10.1", invalid, "invalid thinkingLevel (use off|minimal|low|medium|high|adaptive)", []attempt{
		at("", "sessions.patch", `{"key":"a","thinkingLevel":"deep","fastMode":true}`),
		at("", "sessions.patch", `{"key":"a","thinkingLevel":" ","verboseLevel":"x"}`),
	}},
	{"sessions 10.1", invalid, "invalid thinkingLevel (use off|on)", []attempt{
		at("", "sessions.patch", `{"key":"agent:zed:a","thinkingLevel":"deep"}`),
		at("", "sessions.patch", `{"key":"on-zai","thinkingLevel":"deep"}`),
	}},
	{"sessions 10.1", invalid, `invalid verboseLevel (use "on"|"off")`, []attempt{
		at("", "sessions.patch", `{"key":"a","verboseLevel":" on "}`),
		at("", "sessions.patch", `{"key":"a","verboseLevel":" ","reasoningLevel":" "}`),
	}},
	{"sessions 10.1", invalid, `invalid reasoningLevel (use "on"|"off"|"stream")`, []attempt{
		at("", "sessions.patch", `{"key":"a","reasoningLevel":"full","elevatedLevel":"x"}`),
	}},
	{"sessions 10.1", invalid, `invalid elevatedLevel (use "on"|"off"|"ask"|"full")`, []attempt{
		at("", "sessions.patch", `{"key":"a","elevatedLevel":"stream","execHost":"x"}`),
	}},
	{"sessions 10.1", invalid, `invalid execHost (use "sandbox"|"gateway"|"node")`, []attempt{
		at("", "sessions.patch", `{"key":"a","execHost":"host","execSecurity":"x"}`),
	}},
	{"sessions 10.1", invalid, `invalid execSecurity (use "deny"|"allowlist"|"full")`, []attempt{
		at("", "sessions.patch", `{"key":"a","execSecurity":"allow","execAsk":"x"}`),
	}},
	{"sessions 10.1", invalid, `invalid execAsk (use "off"|"on-miss"|"always")`, []attempt{
		at("", "sessions.patch", `{"key":"a","execAsk":"on","execNode":" "}`),
	}},
	{"sessions 10.2", invalid, `thinkingLevel "xhigh" is only supported for provider models that advertise xhigh reasoning`, []attempt{
		at("", "sessions.patch", `{"key":"a","thinkingLevel":"xhigh"}`),
		at("", "sessions.patch", `{"key":"a","thinkingLevel":"Extra High"}`),
		at("", "sessions.patch", `{"key":"a","thinkingLevel":"x-high","model":"openai/gpt-5.3"}`),
		at("", "sessions.patch", `{"key":"a","thinkingLevel":"xhigh","model":"github-copilot/gpt-5.2-mini"}`),
	}},
	{"sessions 10.3", invalid, "webchat clients cannot <verb> sessions; use chat.send for session-scoped updates", []attempt{
		at("webchat", "sessions.patch", `{"key":"a","label":" "}`, "patch"),
		at("webchat", "sessions.patch", `{"key":"agent::x"}`, "patch"),
		at("webchat ui", "sessions.patch", `{"key":"a"}`, "patch"),
		at("webchat", "sessions.delete", `{"key":"main"}`, "delete"),
		at("webchat ui", "sessions.delete", `{"key":"nothing"}`, "delete"),
	}},
	{"sessions 10.4", invalid, "invalid model: <text>", []attempt{
		at("", "sessions.patch", `{"key":"a","model":" /bad "}`, "/bad"),
		at("", "sessions.patch", `{"key":"a","model":"bad/"}`, "bad/"),
		at("", "sessions.create", `{"model":"/"}`, "/"),
		at("limited", "sessions.patch", `{"key":"a","model":"/bad"}`, "/bad"),
	}},
	{"sessions 10.4", invalid, "model not allowed: <provider>/<model>", []attempt{
		at("limited", "sessions.patch", `{"key":"a","model":"OpenAI/Other@work"}`, "openai", "Other"),
		at("limited", "sessions.patch", `{"key":"a","model":"other"}`, "anthropic", "other"),
		at("limited", "sessions.patch", `{"key":"a","model":"z.ai/other"}`, "zai", "other"),
		at("limited", "sessions.patch", `{"key":"a","model":"tiny/sub"}`, "tiny", "sub"),
		at("limited", "sessions.patch", `{"key":"subagent:x","model":"anthropic/base"}`, "anthropic", "base"),
		at("limited", "sessions.create", `{"model":"openai/gpt-9@20260101"}`, "openai", "gpt-9@20260101"),
		at("limited", "sessions.create", `{"agentId":"zed","model":"glm-other"}`, "zai", "glm-other"),
	}},
	{"sessions 11", invalid, "sessions.create key agent (<key's>) does not match agentId (<normalised>)", []attempt{
		at("", "sessions.create", `{"key":"agent:ops:k","agentId":"Home Team","parentSessionKey":"no"}`, "ops", "home-team"),
		at("", "sessions.create", `{"key":" Agent:OPS:main","agentId":"main"}`, "ops", "main"),
	}},
	{"sessions 11", invalid, "unknown parent session: <text>", []attempt{
		at("", "sessions.create", `{"parentSessionKey":" No Such ","label":" "}`, "No Such"),
		at("", "sessions.create", `{"key":"k","parentSessionKey":"no-id"}`, "no-id"),
		at("", "sessions.create", `{"key":"k","parentSessionKey":"agent::x"}`, "agent::x"),
	}},
	{"sessions 11", unavailable, "failed to create session transcript: Invalid session ID: <id>", []attempt{
		at("", "sessions.create", `{"key":"evil"}`, "../../evil"),
	}},
	{"sessions 11", unavailable, "failed to create session transcript: <reason>", []attempt{
		at("full disk", "sessions.create", `{"key":"kept"}`, "<reason>"),
	}},
	{"sessions 12", unavailable, "Session <key as given> is still active; try again in a moment.", []attempt{
		at("busy", "sessions.reset", `{"key":" Busy "}`, "Busy"),
		at("busy", "sessions.delete", `{"key":"agent:MAIN:busy"}`, "agent:MAIN:busy"),
		at("busy", "sessions.compact", `{"key":"Busy"}`, "Busy"),
		at("busy", "sessions.steer", `{"key":"BUSY","message":"m"}`, "BUSY"),
	}},
	{"sessions 13", invalid, "Cannot delete the main session (<main session key>).", []attempt{
		at("", "sessions.delete", `{"key":"main"}`, "agent:main:main"),
		at("", "sessions.delete", `{"key":" Agent:MAIN:Main "}`, "agent:main:main"),
		at("limited", "sessions.delete", `{"key":"MAIN"}`, "agent:home:main"),
		at("global", "sessions.delete", `{"key":"Global"}`, "global"),
		at("global", "sessions.delete", `{"key":"main"}`, "global"),
		at("global", "sessions.delete", `{"key":"agent:ops:main"}`, "global"),
	}},
	{"sessions 16.4", invalid, `invalid agent.identity.get params: agent "<agentId>" does not match session key agent "<id>"`, []attempt{
		at("", "agent.identity.get", `{"agentId":"Home Team","sessionKey":"agent:ops:x"}`, "Home Team", "ops"),
		at("limited", "agent.identity.get", `{"agentId":"zed","sessionKey":"bare"}`, "zed", "home"),
	}},
	{"sessions 16.4", invalid, `invalid agent.identity.get params: malformed session key "<key>"`, []attempt{
		at("", "agent.identity.get", `{"sessionKey":" agent:ops "}`, "agent:ops"),
		at("", "agent.identity.get", `{"agentId":"main","sessionKey":"agent::x"}`, "agent::x"),
	}},
	{"sessions 17 D1", invalid, `malformed session key "<key>"`, []attempt{
		at("", "sessions.create", `{"key":" agent:ops ","agentId":"main"}`, "agent:ops"),
		at("", "sessions.create", `{"key":"agent::x","label":" "}`, "agent::x"),
		at("", "sessions.patch", `{"key":"agent:My Agent:x","label":" "}`, "agent:My Agent:x"),
		at("", "sessions.patch", `{"key":"agent:main::main"}`, "agent:main::main"),
		at("", "sessions.reset", `{"key":"Agent:-a:x"}`, "Agent:-a:x"),
		at("", "sessions.reset", `{"key":"agent:a:x:"}`, "agent:a:x:"),
	}},
	{"storage 8.1", unavailable, "Error: session file locked (timeout 10000ms): pid=<pid> <lock path>", []attempt{
		at("locked", "sessions.create", `{"key":"a"}`, "<pid>", "<lock path>"),
		at("locked", "sessions.patch", `{"key":"a"}`, "<pid>", "<lock path>"),
		at("locked", "sessions.reset", `{"key":"a"}`, "<pid>", "<lock path>"),
		at("locked", "sessions.delete", `{"key":"old"}`, "<pid>", "<lock path>"),
		at("locked", "sessions.resolve", `{"key":"old"}`, "<pid>", "<lock path>"),
	}},
	{"storage 8.1", unavailable, "Error: session file locked (timeout 10000ms): unknown <lock path>", []attempt{
		at("locked by nobody", "sessions.patch", `{"key":"a"}`, "<lock path>"),
	}},
	{"storage 15.1", invalid, "Invalid session reference: <key>", []attempt{
		at("", "sessions.usage", `{"key":"agent:main:evil"}`, "agent:main:evil"),
		at("", "sessions.usage", `{"key":"../up"}`, "../up"),
	}},
	{"storage 15.2", invalid, "key is required for timeseries", []attempt{
		at("", "sessions.usage.timeseries", ``),
		at("", "sessions.usage.timeseries", `{"key":" "}`),
	}},
	{"storage 15.2", invalid, "No transcript found for session: <key>", []attempt{
		at("", "sessions.usage.timeseries", `{"key":"a"}`, "a"),
		at("", "sessions.usage.timeseries", `{"key":"nothing"}`, "nothing"),
	}},
	{"storage 15.2", invalid, "Invalid session key: <key>", []attempt{
		at("", "sessions.usage.timeseries", `{"key":"evil"}`, "evil"),
		at("", "sessions.usage.timeseries", `{"key":"../up"}`, "../up"),
		at("", "sessions.usage.logs", `{"key":"../up"}`, "../up"),
	}},
	{"storage 15.3", invalid, "key is required for logs", []attempt{
		at("", "sessions.usage.logs", `{"limit":1}`),
		at("", "sessions.usage.logs", `{"key":""}`),
	}},
}
