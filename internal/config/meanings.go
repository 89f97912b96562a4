package config

import (
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
)

// meaning is what a person is told of a key: in forms (config.schema) and in
// doc/configuration.md. usual is what holds when nothing is said, "" when there is
// nothing to say.
type meaning struct{ usual, text string }

// meanings are those of each key that has a meaning here, by its path: "*" is any
// member, "[]" any element. A test compares them with what the readers take.
var meanings = map[string]meaning{
	"$schema":    {"", "For editors."},
	"meta":       {"", "Book-keeping of OpenClaw's own commands."},
	"wizard":     {"", "Book-keeping of OpenClaw's own commands."},
	"env.vars.*": {"", "A variable that is set where the environment does not set it."},
	"env.*":      {"", "As `env.vars.*`."},

	"logging.level": {"info", "What the log leaves out: everything less important than this. `-v` wins."},
	"logging.file":  {"a file for each day in `<state>/logs`", "One file for the log."},

	"ui.assistant.name":   {"the agent's", "The name that pages show for the default agent."},
	"ui.assistant.avatar": {"the agent's", "Its picture: a URL, a file of the agent's workspace, or an emoji."},

	"models.providers.*.baseUrl":                  {"", "Where the provider's server is, up to and with `/v1` or the like."},
	"models.providers.*.apiKey":                   {"", "The key for it: text, `${NAME}`, or `{source: \"env\", id: \"NAME\"}`."},
	"models.providers.*.api":                      {"openai-completions", "What the server speaks. A run on one that this version does not speak fails with a message."},
	"models.providers.*.headers.*":                {"", "A header for each request to it."},
	"models.providers.*.command":                  {"", "With `api: \"acp\"`: the program that answers, a name on the PATH or a path."},
	"models.providers.*.args":                     {"[]", "What it is started with."},
	"models.providers.*.env.*":                    {"", "A variable that it gets beside PATH, HOME, LANG and TMPDIR."},
	"models.providers.*.cwd":                      {"the agent's workspace", "The directory that its sessions work in."},
	"models.providers.*.processes":                {"shared", "`shared`: one process for all sessions; `session`: one for each."},
	"models.providers.*.maxProcesses":             {"8", "How many may run at a time where each session has one."},
	"models.providers.*.permissions":              {"deny", "What it is answered when it asks to be permitted something; `ask` lets people decide."},
	"models.providers.*.models[].id":              {"", "The name by which the server knows the model."},
	"models.providers.*.models[].name":            {"the id", "The name that people see."},
	"models.providers.*.models[].api":             {"the provider's", "What this model is spoken to in."},
	"models.providers.*.models[].reasoning":       {"false", "Whether the model can think before it answers."},
	"models.providers.*.models[].input":           {"[\"text\"]", "What it takes: `text`, `image`."},
	"models.providers.*.models[].cost.input":      {"", "Price of a million tokens read, in USD."},
	"models.providers.*.models[].cost.output":     {"", "Price of a million tokens written."},
	"models.providers.*.models[].cost.cacheRead":  {"", "Price of a million tokens read from the provider's cache."},
	"models.providers.*.models[].cost.cacheWrite": {"", "Price of a million tokens written to it."},
	"models.providers.*.models[].contextWindow":   {"", "How many tokens it takes; older turns of a conversation that is longer are left out."},
	"models.providers.*.models[].maxTokens":       {"", "How many tokens an answer may have."},
	"models.providers.*.models[].headers.*":       {"", "A header for each request about this model."},
	"models.providers.*.models[].compat.*":        {"by the server's address", "What the server does otherwise than others that speak the same."},

	"agents.defaults.model":             {"the first configured model, else `echo/echo`", "The model of sessions that choose none: `\"provider/model\"`, or `{primary, fallbacks}`. The fallbacks are asked, in order, when the session's model fails before it has said anything (last the default model), and may be chosen too; a model of a provider that neither the default nor a fallback is of has none."},
	"agents.defaults.models.*.alias":    {"", "Another name for the model `provider/model` that stands as the key. With any entry here, sessions may choose only models that stand here."},
	"agents.defaults.models.*.params.*": {"", "`thinking`: the thinking level of sessions with this model that have none of their own."},
	"agents.defaults.workspace":         {"`<state>/workspace`", "The directory of agents that have none of their own."},
	"agents.defaults.contextTokens":     {"the model's", "An upper limit for the context window."},
	"agents.defaults.thinkingDefault":   {"by the model", "The thinking level of sessions that have none."},
	"agents.defaults.verboseDefault":    {"none", "The verbosity of sessions that have none."},
	"agents.defaults.timeoutSeconds":    {"172800", "How long a run may take."},
	"agents.defaults.maxConcurrent":     {"256", "How many runs talk to models at once."},
	"agents.defaults.subagents.model":   {"the agent's", "The model of subagents' sessions."},
	"agents.list[].id":                  {"", "The agent's name in session keys and directories."},
	"agents.list[].default":             {"the first agent", "Whether bare session keys are this agent's."},
	"agents.list[].name":                {"the id", "The name that people see."},
	"agents.list[].workspace":           {"`agents.defaults.workspace`", "The agent's directory."},
	"agents.list[].model":               {"`agents.defaults.model`", "The model of its sessions that choose none."},
	"agents.list[].identity.name":       {"", "The name that pages show."},
	"agents.list[].identity.theme":      {"", "What it is, in a few words."},
	"agents.list[].identity.emoji":      {"", "An emoji in place of a picture."},
	"agents.list[].identity.avatar":     {"", "A picture: a URL, or a file in the workspace."},
	"agents.list[].subagents.model":     {"`agents.defaults.subagents.model`", "The model of its subagents' sessions."},

	"session.scope":                                 {"per-sender", "`global`: one main session for all agents."},
	"session.idleMinutes":                           {"", "Alone: as `session.reset` with mode `idle`."},
	"session.reset.mode":                            {"daily", "When a session begins anew with its next message: after an hour of the day, or after a time without messages."},
	"session.reset.atHour":                          {"4", "The hour, in local time."},
	"session.reset.idleMinutes":                     {"", "The time; in mode `daily` it counts as well."},
	"session.resetByChannel.*":                      {"", "`session.reset` for sessions of a channel."},
	"session.resetByType":                           {"", "`session.reset` for direct (`dm`), group and thread sessions."},
	"session.store":                                 {"per agent, in the state directory", "Where sessions are stored: one file for all, or a path with `{agentId}`."},
	"session.mainKey":                               {"main", "Accepted; the main session is always called main."},
	"session.sendPolicy.default":                    {"allow", "Whether messages may be sent where no rule says it."},
	"session.sendPolicy.rules[].action":             {"", "What the rule says; the first that denies counts before all that allow."},
	"session.sendPolicy.rules[].match.channel":      {"any", "The channel of the sessions that it is about."},
	"session.sendPolicy.rules[].match.chatType":     {"any", "Their type."},
	"session.sendPolicy.rules[].match.keyPrefix":    {"any", "How their keys begin, with or without `agent:<id>:`."},
	"session.sendPolicy.rules[].match.rawKeyPrefix": {"any", "How their whole keys begin."},

	"session.maintenance.mode":                  {"warn", "`enforce` removes what the limits below say, `warn` only tells."},
	"session.maintenance.pruneAfter":            {"30d", "Sessions older than this go. A bare number is days."},
	"session.maintenance.pruneDays":             {"", "The older name of it, in days."},
	"session.maintenance.maxEntries":            {"500", "How many sessions a store keeps."},
	"session.maintenance.rotateBytes":           {"10mb", "A store file larger than this is copied to `.bak.<ms>` now and then."},
	"session.maintenance.resetArchiveRetention": {"as `pruneAfter`", "How long archives of resets are kept; `false` keeps them for ever."},
	"session.maintenance.maxDiskBytes":          {"none", "How much an agent's sessions directory may take."},
	"session.maintenance.highWaterBytes":        {"four fifths of it", "Where removing stops once that is exceeded."},

	"gateway.port":                     {"18789", "The port. `OPENCLAW_GATEWAY_PORT` and `--port` win."},
	"gateway.bind":                     {"loopback", "Where to listen: this machine alone, all addresses (`lan`), loopback or else all (`auto`), the address in a tailnet, or `gateway.customBindHost`."},
	"gateway.customBindHost":           {"", "The address for `custom`."},
	"gateway.controlUi.enabled":        {"true", "Whether there is a page."},
	"gateway.controlUi.basePath":       {"", "The path below which it is."},
	"gateway.controlUi.root":           {"", "The directory of the files of another page, such as OpenClaw's Control UI."},
	"gateway.controlUi.allowedOrigins": {"beyond loopback: `http://localhost:<port>`, `http://127.0.0.1:<port>`", "Origins of pages that may connect; `*` for all."},
	"gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback": {"false", "Believe the Host header about which pages may connect."},
	"gateway.controlUi.allowInsecureAuth":                        {"false", "The page may connect without a device from this machine."},
	"gateway.controlUi.dangerouslyDisableDeviceAuth":             {"false", "The page may connect without a device from everywhere."},
	"gateway.auth.mode":                                          {"`password` when one is configured, else `token`", "How clients show that they may connect; `none` only on loopback. With a token and a password it must be said."},
	"gateway.auth.token":                                         {"made at the first start", "The token: text, `${NAME}`, or `{source: \"env\", id: \"NAME\"}`. `--token` wins."},
	"gateway.auth.password":                                      {"", "The password, likewise."},
	"gateway.auth.rateLimit.maxAttempts":                         {"10", "Wrong secrets of an address within the window, after which it is locked out."},
	"gateway.auth.rateLimit.windowMs":                            {"60000", "The window."},
	"gateway.auth.rateLimit.lockoutMs":                           {"300000", "How long it is locked out."},
	"gateway.auth.rateLimit.exemptLoopback":                      {"the opposite of `parley.throttleLoopback`", "Whether wrong secrets from this machine do not count."},
	"gateway.auth.trustedProxy.userHeader":                       {"", "The header in which the proxy names the user."},
	"gateway.auth.trustedProxy.requiredHeaders":                  {"none", "Headers that must be there."},
	"gateway.auth.trustedProxy.allowUsers":                       {"all", "Users that may connect."},
	"gateway.trustedProxies":                                     {"none", "Addresses and ranges whose `X-Forwarded-For` is believed."},
	"gateway.allowRealIpFallback":                                {"false", "Believe their `X-Real-IP` too."},
	"gateway.reload.mode":                                        {"hybrid", "What happens when the files change: `hot` and `hybrid` take in what can be, `off` and `restart` only tell. SIGHUP has them read in any case."},
	"gateway.tls.enabled":                                        {"false", "TLS 1.3 for everything on the port."},
	"gateway.tls.autoGenerate":                                   {"true", "Make a self-signed pair where neither file is there. Its fingerprint is logged and kept in `parley.lock`, by which this machine's command line knows it."},
	"gateway.tls.certPath":                                       {"`<state>/gateway/tls/gateway-cert.pem`", "The certificate, with those that vouch for it."},
	"gateway.tls.keyPath":                                        {"`<state>/gateway/tls/gateway-key.pem`", "Its key."},
	"gateway.tls.caPath":                                         {"", "Accepted; client certificates are not asked for."},
	"gateway.http.securityHeaders.strictTransportSecurity":       {"none", "The value of that header."},

	"parley.deviceless":                 {"loopback", "Which clients without a device keep the scopes they ask for: those with the right secret from this machine and without an Origin, none, all."},
	"parley.protocols":                  {"`[3, 4]`", "Versions of the protocol that are offered."},
	"parley.throttleLoopback":           {"true", "Wrong secrets from this machine count too."},
	"parley.unauthenticated.perAddress": {"32", "How many connections of an address may be open, WebSocket or HTTP, that have not shown a right secret; at the limit the oldest goes."},
	"parley.unauthenticated.total":      {"1024", "The same for all addresses together."},
	"parley.runs.onRestart":             {"close", "What becomes of messages that waited at the end: `close` writes them down as killed, `resume` runs them."},
	"parley.runs.compaction":            {"off", "`auto`: a conversation that does not fit into the model's context window is summed up by the model, all but the newest messages that fill half of the window; the transcript keeps everything."},
	"parley.runs.maxAnswerBytes":        {"8388608", "How long an answer may become, its thinking included: a run whose model goes on fails, and what came before is kept."},
	"parley.drain":                      {"5s", "How long runs may go on when the daemon is told to end. A bare number is seconds."},
	"parley.admin":                      {"none", "A loopback address with a port for metrics and profiles without credentials. `--admin` wins."},
	"parley.metrics.enabled":            {"true", "Whether there is `/metrics`."},
	"parley.metrics.public":             {"false", "Whether it is answered without credentials."},
	"parley.tracing.endpoint":           {"`OTEL_EXPORTER_OTLP_ENDPOINT`, else none", "The URL of an OpenTelemetry collector that takes OTLP over HTTP."},
	"parley.tracing.ratio":              {"1", "The share of traces that are recorded, from 0 to 1."},
}

// meaningOf is what is said of the key at a path.
func meaningOf(path string) (meaning, bool) {
	for _, alike := range []string{"direct", "dm", "group", "thread"} {
		path = strings.Replace(path, "session.resetByType."+alike+".", "session.reset.", 1)
	}
	path = strings.Replace(path, "session.resetByChannel.*.", "session.reset.", 1)
	w, ok := meanings[path]
	return w, ok
}

// explain adds to a schema what people are told, at and below the path.
func explain(at string, schema rawjson.Value) rawjson.Value {
	o, err := rawjson.Parse(schema)
	if err != nil {
		return schema
	}
	if w, ok := meaningOf(at); ok && !o.Has("description") {
		text := strings.ReplaceAll(w.text, "`", "")
		if w.usual != "" {
			text += " Default: " + strings.ReplaceAll(w.usual, "`", "") + "."
		}
		o.Put("description", text)
	}
	if properties, err := rawjson.Parse(o.Get("properties")); err == nil {
		for name, v := range properties.Clone().All() {
			properties.Set(name, explain(join(at, name), v))
		}
		o.Set("properties", properties.JSON())
	}
	for member, step := range map[string]string{"additionalProperties": ".*", "items": "[]"} {
		if v := o.Get(member); rawjson.Kind(v) == '{' {
			o.Set(member, explain(at+step, v))
		}
	}
	return o.JSON()
}
