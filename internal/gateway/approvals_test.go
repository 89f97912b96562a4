package gateway

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/acp"
)

// A question that nobody decides is denied: after its time, when its run ends, and
// when there are too many.
func TestQuestionsThatNobodyDecides(t *testing.T) {
	g := bare(t, `{}`, `{}`)
	g.log = slog.New(slog.DiscardHandler)
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if d := g.askApproval(t.Context(), acp.Question{Command: "ls"}); d != acp.Deny {
			t.Errorf("without a decision: %s", d)
		}
		if took := time.Since(begun); took != approvalTimeout {
			t.Errorf("it waited %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		decisions := make(chan acp.Decision, approvalLimit)
		for range approvalLimit {
			go func() { decisions <- g.askApproval(ctx, acp.Question{Command: "ls"}) }()
		}
		synctest.Wait()
		if n := len(g.approvals.list()); n != approvalLimit {
			t.Errorf("%d wait", n)
		}
		begun = time.Now()
		if d := g.askApproval(t.Context(), acp.Question{Command: "ls"}); d != acp.Deny || time.Since(begun) != 0 {
			t.Errorf("one more: %s after %v", d, time.Since(begun))
		}
		cancel()
		for range approvalLimit {
			if d := <-decisions; d != acp.Deny {
				t.Errorf("at the end of the run: %s", d)
			}
		}
		if n := len(g.approvals.list()); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}
