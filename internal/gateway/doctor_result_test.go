package gateway

import (
	"testing"

	"github.com/parleyd/parley/internal/doctor"
)

// TestDoctorResultIsAsPublished: the schema of the report knows all its fields.
func TestDoctorResultIsAsPublished(t *testing.T) {
	for _, r := range []doctor.Report{
		doctor.NewReport("/state", false, nil),
		doctor.NewReport("/state", true, []doctor.Finding{
			{Severity: doctor.Error, Check: "c", Path: "/p", What: "w", Cure: "c", Fixable: true, Failed: "f", Sessions: []string{"s"}},
			{Severity: doctor.Info, Check: "c", Path: "/p", What: "w", Cure: "c", Fixable: true, Fixed: true, Copies: []string{"/c"}},
		}),
	} {
		encoded(t, "_result.doctor", r, nil)
	}
}
