package runs

import (
	"testing"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
)

func TestOpensTheModelThatIsAskedFor(t *testing.T) {
	state := t.TempDir()
	cfg, _, err := config.Parse(`{models:{providers:{
		fake:{baseUrl:"http://127.0.0.1:1/v1",apiKey:"k",api:"openai-completions",models:[{id:"m1",name:"M1"}]},
		keyless:{baseUrl:"http://127.0.0.1:1/v1",api:"openai-completions",models:[{id:"m1",name:"M1"}]},
		claude:{baseUrl:"http://127.0.0.1:1",apiKey:"k",api:"anthropic-messages",models:[{id:"m1",name:"M1",input:["text","image"]}]},
		keyed:{baseUrl:"http://127.0.0.1:1",headers:{"X-Api-Key":"k"},api:"anthropic-messages",models:[{id:"m1",name:"M1"}]},
		bare:{baseUrl:"http://127.0.0.1:1",api:"anthropic-messages",models:[{id:"m1",name:"M1"}]},
		odd:{baseUrl:"http://127.0.0.1:1/v1",apiKey:"k",api:"ollama",models:[{id:"m1",name:"M1"}]}}}}`,
		config.Options{StateDir: state, HomeDir: state, WorkDir: state})
	if err != nil {
		t.Fatal(err)
	}
	open := newConfigured(Options{Config: cfg}, config.NewLive(cfg)).open
	for ref, want := range map[config.ModelRef]string{
		{Provider: "fake", Model: "m1"}:    "",
		{Provider: "echo", Model: "echo"}:  "",
		{Provider: "fake", Model: "m2"}:    "Unknown model: fake/m2",
		{Provider: "nobody", Model: "m1"}:  "Unknown model: nobody/m1",
		{Provider: "keyless", Model: "m1"}: `No API key found for provider "keyless".`,
		{Provider: "claude", Model: "m1"}:  "",
		{Provider: "keyed", Model: "m1"}:   "",
		{Provider: "bare", Model: "m1"}:    `No API key found for provider "bare".`,
		{Provider: "odd", Model: "m1"}:     `Provider "odd" speaks "ollama", which this version does not support.`,
	} {
		m, err := open(ref)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want || (m == nil) != (want != "") {
			t.Errorf("%s: model %v, error %q, want %q", ref, m, got, want)
		}
	}
	if m, _ := open(config.ModelRef{Provider: "echo", Model: "echo"}); m != (model.Echo{}) {
		t.Errorf("echo is %T", m)
	}
}
