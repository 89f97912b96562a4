package gateway

import (
	"net/http"
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
)

// schemasPath is where the JSON Schemas of the protocol are listed; each lies
// below it. They are the same in every gateway of this version, so no
// credentials are asked for.
const schemasPath = "/schemas/"

type schemasResult struct {
	Schemas []schemaFile `json:"schemas"`
}

type schemaFile struct {
	Name string `json:"name"` // without .json: the method, or a part with a leading underscore
	Path string `json:"path"`
	ID   string `json:"id"`
}

// serveSchemas lists the schemas, and serves each.
func (g *Gateway) serveSchemas(w http.ResponseWriter, r *http.Request, path string) bool {
	file, ok := strings.CutPrefix(path, schemasPath)
	if !ok {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		text(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return true
	}
	name, isFile := strings.CutSuffix(file, ".json")
	body := rawjson.Value(g.validator.Schema(name))
	switch {
	case file == "":
		body = rawjson.MustMarshal(g.listSchemas())
	case !isFile || body == nil:
		text(w, http.StatusNotFound, notFound)
		return true
	}
	w.Header().Set("Cache-Control", "no-cache")
	reply(w, http.StatusOK, body)
	return true
}

func (g *Gateway) listSchemas() schemasResult {
	res := schemasResult{Schemas: []schemaFile{}}
	for _, name := range g.validator.Names() {
		f := schemaFile{Name: name, Path: schemasPath + name + ".json"}
		if s, err := rawjson.Parse(g.validator.Schema(name)); err == nil { // they all parse
			f.ID = s.Text("$id")
		}
		res.Schemas = append(res.Schemas, f)
	}
	return res
}
