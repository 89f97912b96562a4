package browsertest

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// askingAgent is a program that asks to be permitted something before it answers.
const askingAgent = `while read -r line; do
	id=$(echo "$line" | sed -E 's/.*"id":([0-9]+).*/\1/')
	case $line in
	*'"initialize"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":1}}' ;;
	*'"session/new"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"sessionId":"one"}}' ;;
	*'"session/prompt"'*) prompt=$id
		echo '{"jsonrpc":"2.0","id":900,"method":"session/request_permission","params":{"sessionId":"one","toolCall":{"toolCallId":"c","title":"Clean","kind":"execute","rawInput":{"command":"rm -r build"}},"options":[{"optionId":"yes","name":"Yes","kind":"allow_once"},{"optionId":"no","name":"No","kind":"reject_once"}]}}' ;;
	*'"optionId":"yes"'*)
		echo '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"one","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"it was allowed"}}}}'
		echo '{"jsonrpc":"2.0","id":'$prompt',"result":{"stopReason":"end_turn"}}' ;;
	esac
done
`

// A question that waits already when the page comes is shown, and one that somebody
// else answers goes away.
func TestApprovals(t *testing.T) {
	d := startDaemon(t, "", nil)
	d.stop(false)
	script := filepath.Join(d.launch.Home, "agent.sh")
	put(t, script, []byte(askingAgent))
	put(t, d.launch.ConfigPath, fmt.Appendf(nil, `{"gateway":{"auth":{"token":%q}},"models":{"providers":{"desk":{"api":"acp","command":"sh","args":[%q],"permissions":"ask","models":[{"id":"any","name":"Any"}]}}},
		"agents":{"defaults":{"model":{"primary":"desk/any"}}}}`, token, script))
	d.start()
	o := d.other()
	ask := func(key string) (id string) {
		t.Helper()
		o.call("chat.send", map[string]any{"sessionKey": key, "message": "clean up", "idempotencyKey": key}, nil)
		var waiting []struct{ ID string }
		for until := time.Now().Add(patience); len(waiting) == 0; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("the agent did not ask")
			}
			o.call("exec.approval.list", map[string]any{}, &waiting)
		}
		return waiting[0].ID
	}
	ask("one")
	p := visit(t, d.url("#token="+token))
	p.connected()
	p.awaitText("dialog[open]", "rm -r build")
	p.click("Once")
	p.open("one")
	p.awaitText(".thread", "it was allowed")

	id := ask("two")
	p.awaitText("dialog[open]", "rm -r build")
	o.call("exec.approval.resolve", map[string]any{"id": id, "decision": "allow-once"}, nil)
	p.await(`!document.querySelector("dialog[open]")`)
	p.open("two")
	p.awaitText(".thread", "it was allowed")
}
