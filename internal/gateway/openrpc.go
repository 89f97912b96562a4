package gateway

import (
	"slices"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// openRPCVersion is the version of the OpenRPC specification that the document
// keeps to.
const openRPCVersion = "1.3.2"

type openRPCDocument struct {
	OpenRPC string          `json:"openrpc"`
	Info    openRPCInfo     `json:"info"`
	Methods []openRPCMethod `json:"methods"`
}

type openRPCInfo struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

// openRPCMethod is one entry of the handler table.
type openRPCMethod struct {
	Name        string         `json:"name"`
	Summary     string         `json:"summary,omitzero"`
	Description string         `json:"description,omitzero"`
	Structure   string         `json:"paramStructure"`
	Params      []openRPCParam `json:"params"`
	Result      openRPCParam   `json:"result"`
	Errors      []openRPCError `json:"errors"`
	Scope       protocol.Scope `json:"x-scope"`
	WebSocket   bool           `json:"x-websocket,omitzero"`
}

// openRPCParam is a content descriptor.
type openRPCParam struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitzero"`
	Required    bool          `json:"required,omitzero"`
	Schema      rawjson.Value `json:"schema"`
}

type openRPCError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// openRPC describes the handler table as an OpenRPC document.
func (g *Gateway) openRPC() openRPCDocument {
	doc := openRPCDocument{
		OpenRPC: openRPCVersion,
		Info: openRPCInfo{"Parley", "The methods of the gateway over JSON-RPC 2.0, at " + rpcPath + ". Over a WebSocket events arrive as notifications: " +
			`{"jsonrpc":"2.0","method":"event","params":{event,payload,seq}}.`, g.version},
		Methods: []openRPCMethod{},
	}
	for _, m := range methods {
		doc.Methods = append(doc.Methods, g.describeMethod(m))
	}
	return doc
}

func (g *Gateway) describeMethod(m method) openRPCMethod {
	d := openRPCMethod{
		Name: m.name, Structure: "by-name", Params: []openRPCParam{}, Scope: m.scope, WebSocket: m.flags&socketed != 0,
		Result: openRPCParam{Name: "result", Schema: rawjson.Value("true")},
		Errors: []openRPCError{
			{rpcInvalidParams, "the caller did something wrong: params, scope, or what it asks for"},
			{rpcInternal, "a failure that no rule foresees"},
			{rpcFailed, "not now, or a failure of the gateway; data.code says which"},
		},
	}
	if m.scope != protocol.ScopeNone {
		d.Description = "Needs the scope " + string(m.scope) + "."
	}
	if s, err := rawjson.Parse(g.validator.Schema(m.name)); err == nil {
		d.Summary = s.Text("description")
		d.Params = openRPCParams(s)
	}
	if s := g.validator.Schema("_result." + m.name); s != nil {
		d.Result.Schema = rawjson.MustMarshal(rawjson.Value(s))
	}
	return d
}

// openRPCParams are the properties of a schema, those that are required first:
// the specification wants it so.
func openRPCParams(s rawjson.Object) []openRPCParam {
	out := []openRPCParam{}
	var required []string
	_ = rawjson.Unmarshal(s.Get("required"), &required) // absent: none
	properties, err := rawjson.Parse(s.Get("properties"))
	if err != nil {
		return out
	}
	for name, v := range properties.All() {
		p := openRPCParam{Name: name, Required: slices.Contains(required, name), Schema: v}
		if o, err := rawjson.Parse(v); err == nil {
			p.Description = o.Text("description")
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b openRPCParam) int {
		switch {
		case a.Required == b.Required:
			return 0
		case a.Required:
			return -1
		}
		return 1
	})
	return out
}
