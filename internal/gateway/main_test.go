package gateway

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/parleyd/parley/internal/acp/acptest"
)

// TestMain is also the agent that tests run as a program.
func TestMain(m *testing.M) {
	acptest.Main()
	goleak.VerifyTestMain(m)
}
