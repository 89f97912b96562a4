package gateway

import "testing"

func TestLinesOfTheLogAsClientsReadThem(t *testing.T) {
	tests := []struct{ line, want string }{
		{`{"time":"2026-01-02T03:04:05Z","level":"WARN","msg":"run failed","run":"r1","err":"401 <no>","cause":null,"n":2}`,
			`{"time":"2026-01-02T03:04:05Z","level":"WARN","msg":"run failed","run":"r1","err":"401 <no>","cause":null,"n":2,` +
				`"1":"run failed run=r1 err=\"401 <no>\" cause=null n=2","_meta":{"logLevelName":"WARN","date":"2026-01-02T03:04:05Z"}}`},
		{`{"level":"INFO","msg":"stopped","reason":""}`, `{"level":"INFO","msg":"stopped","reason":"","1":"stopped reason=\"\"","_meta":{"logLevelName":"INFO"}}`},
		// Not ours: OpenClaw's own lines, text, JSON of other loggers.
		{`{"0":"x","1":"y","_meta":{"logLevelName":"INFO"},"level":"INFO","msg":"z"}`, `{"0":"x","1":"y","_meta":{"logLevelName":"INFO"},"level":"INFO","msg":"z"}`},
		{`time=x level=INFO msg=y`, `time=x level=INFO msg=y`},
		{`{"msg":"y"}`, `{"msg":"y"}`},
		{`{"level":"INFO","msg":"cut`, `{"level":"INFO","msg":"cut`},
		{``, ``},
	}
	for _, tt := range tests {
		if got := told(tt.line); got != tt.want {
			t.Errorf("told(%s)\n got %s\nwant %s", tt.line, got, tt.want)
		}
	}
}
