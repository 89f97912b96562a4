package acp

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/parleyd/parley/internal/acp/acptest"
)

func TestMain(m *testing.M) {
	acptest.Main()
	goleak.VerifyTestMain(m)
}
