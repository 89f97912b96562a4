package sessions

import "github.com/parleyd/parley/internal/rawjson"

// Import is the entry of a session that was exported elsewhere: as it was there,
// but without the place of its transcript, and no run of it goes on. It loses
// its label if another session has that: labelTaken is it then.
func Import(e Entry, r Rules) (_ Entry, labelTaken string) {
	if e.Text("status") == "running" {
		e = killed(e, e.UpdatedAt())
	}
	label := e.Text("label")
	taken := label != "" && r.LabelTaken != nil && r.LabelTaken(label)
	if e.Value("sessionFile") == nil && !taken {
		return e, ""
	}
	e = e.With(func(o *rawjson.Object) {
		o.Delete("sessionFile")
		if taken {
			o.Delete("label")
		}
	})
	if taken {
		return e, label
	}
	return e, ""
}
