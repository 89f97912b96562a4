package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyd/parley/internal/json5"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Load reads the configuration: .env files, the file, $include, the env block,
// ${NAME}, validation, defaults. A missing file means defaults, unless the
// user named it. A configuration that does not hold is an *InvalidError.
func Load(o Options) (*Config, []Warning, error) {
	p, err := o.places()
	if err != nil {
		return nil, nil, fmt.Errorf("find the configuration: %w", err)
	}
	return complete(loadFrom(o, p))
}

// complete hides what an error left of a Config.
func complete(c *Config, ws []Warning, err error) (*Config, []Warning, error) {
	if err != nil {
		return nil, ws, err
	}
	return c, ws, nil
}

func loadFrom(o Options, p places) (*Config, []Warning, error) {
	text, err := os.ReadFile(p.file)
	found := err == nil
	if !found && (p.must || !errors.Is(err, fs.ErrNotExist)) {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	l := newLoading(o, p)
	l.addFiles()
	return l.load(string(text), found)
}

// Parse is Load with a text in place of the file, and without .env files.
func Parse(text string, o Options) (*Config, []Warning, error) {
	p, err := o.places()
	if err != nil {
		return nil, nil, fmt.Errorf("find the configuration: %w", err)
	}
	c, ws, err := complete(newLoading(o, p).load(text, true))
	if err == nil {
		c.fixed = true
	}
	return c, ws, err
}

// A loading is one Load on its way.
type loading struct {
	options Options
	places  places
	env     environment
}

func newLoading(o Options, p places) *loading {
	return &loading{options: o, places: p, env: environment{lookup: o.env, added: map[string]string{}}}
}

// addFiles adds the variables of the .env files.
func (l *loading) addFiles() {
	l.env.addFile(filepath.Join(l.places.work, ".env"))
	l.env.addFile(filepath.Join(l.places.state, ".env"))
}

// load makes a Config of a text. Beside an error it still gives one, which
// holds no more than its source.
func (l *loading) load(text string, found bool) (*Config, []Warning, error) {
	c := &Config{Path: l.places.file, StateDir: l.places.state, Home: l.places.home, env: l.env, places: l.places, options: l.options}
	c.source = Source{Exists: found, Raw: text, Parsed: rawjson.Value("{}"), Files: []string{c.Path}}
	if found {
		parsed, err := json5.Parse(text)
		if err != nil {
			return c, nil, c.invalid("JSON5: %v", err)
		}
		c.source.Parsed = parsed
	}
	in := includer{root: filepath.Dir(c.Path), files: c.source.Files}
	content, err := in.resolve(c.source.Parsed, []string{c.Path})
	if err != nil {
		return c, nil, c.invalid("%v", err)
	}
	c.source.Files = in.files
	if o, err := rawjson.Parse(content); err == nil {
		c.env.addBlock(o.Get("env"))
	}
	content, subst := substitute(content, c.env)
	c.source.Resolved = content
	d := &decoder{env: c.env, unset: subst.unset, warnings: subst.warnings(c.Path)}
	c.decode(d, content)
	if len(d.issues) > 0 {
		return c, d.warnings, &InvalidError{c.Path, d.issues}
	}
	c.finish(d)
	return c, d.warnings, nil
}

func (c *Config) invalid(format string, args ...any) error {
	return &InvalidError{c.Path, []Issue{{"", fmt.Sprintf(format, args...)}}}
}

// others are the parts of OpenClaw's configuration that Parley has no use for.
const others = "diagnostics cli update browser secrets auth acp nodeHost tools bindings broadcast audio media messages commands approvals cron hooks web channels discovery canvasHost talk memory mcp skills plugins"

// decode fills c with defaults and reads v over them.
func (c *Config) decode(d *decoder, v rawjson.Value) {
	c.Gateway.defaults()
	c.Session.Maintenance.defaults()
	c.Agents.defaults()
	c.Parley.defaults()
	ignored := func(*decoder, string, rawjson.Value) {}
	object([]field{
		// The book-keeping of editors and of OpenClaw's own commands.
		{name: "$schema", read: ignored},
		{name: "meta", read: ignored},
		{name: "wizard", read: ignored},
		{name: "env", read: readEnv},
		{name: "logging", read: c.Logging.read()},
		{name: "ui", read: c.UI.read()},
		{name: "models", read: c.Models.read()},
		{name: "agents", read: c.Agents.read()},
		{name: "session", read: c.Session.read},
		{name: "gateway", read: c.Gateway.read()},
		{name: "parley", read: c.Parley.read()},
	}, others)(d, "", v)
}

// readEnv checks the env block; its variables are set before it comes here.
func readEnv(d *decoder, at string, v rawjson.Value) {
	variable := func(d *decoder, _, at string, v rawjson.Value) {
		var value string
		text(&value)(d, at, v)
	}
	open([]field{{name: "vars", read: members(variable)}}, "shellEnv", variable)(d, at, v)
}

// finish applies the environment and the command line, and says what a person
// should know.
func (c *Config) finish(d *decoder) {
	g := &c.Gateway
	c.listen(d)
	g.Auth.resolve(c.env, c.options.Token)
	g.Auth.throttleLoopback(c.Parley.ThrottleLoopback)
	g.seedOrigins()
	for _, path := range []*string{&g.ControlUI.Root, &g.TLS.CertPath, &g.TLS.KeyPath, &g.TLS.CAPath, &c.Logging.File} {
		if *path != "" {
			*path = c.Expand(*path)
		}
	}
	if c.options.Admin != "" {
		c.Parley.Admin = c.options.Admin
	}
	c.asked = c.lastingParts()
	if g.Auth.Mode == AuthNone {
		d.warnings = append(d.warnings, "gateway.auth.mode is none: every program on this machine can connect")
	}
	if len(d.unused) > 0 {
		slices.Sort(d.unused)
		d.warnings = append(d.warnings, Warning("the configuration has keys that Parley does not use: "+strings.Join(d.unused, ", ")))
	}
}

// listen settles port and bind: command line, then environment, then file.
func (c *Config) listen(d *decoder) {
	g := &c.Gateway
	if text := jstext.Trim(c.env.get("OPENCLAW_GATEWAY_PORT")); text != "" {
		if port, err := strconv.ParseUint(text, 10, 16); err == nil && port > 0 {
			g.Port = int(port)
		} else {
			d.warnings = append(d.warnings, Warning(fmt.Sprintf("OPENCLAW_GATEWAY_PORT is %q, which is no port, and is ignored", text)))
		}
	}
	if c.options.Port != 0 {
		g.Port = c.options.Port
	}
	switch bind := c.options.Bind; bind {
	case "":
	case "loopback", "lan", "auto", "tailnet":
		g.Bind = bind
	default:
		g.Bind, g.CustomBindHost = "custom", bind
	}
	if addr, err := netip.ParseAddr(g.CustomBindHost); err == nil {
		g.CustomBindHost = addr.String()
	}
}

// Expand makes a path of the configuration absolute: a leading "~" is the home
// directory, others start from the working directory.
func (c *Config) Expand(path string) string { return c.places.expand(path) }
