package gatewaytest_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// A gateway in this process is to see the time zone that it would see as a
	// process of its own.
	time.Local = time.UTC
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	// Scenarios mostly wait: more of them may run at once than there are cores.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set("8")
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			return 1
		}
	}
	return code
}
