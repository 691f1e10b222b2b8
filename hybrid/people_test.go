package hybrid

import (
	"slices"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
)

func TestOutcomesNameEveryCluster(t *testing.T) {
	got := outcomes("/src/a", []cluster.Outcome{
		{Name: "gateway-e2e-1", Suite: "gateway", Checkout: "/src/a", Deleted: true, Reason: "kept, and expires in 3h05m"},
		{Name: "gateway-e2e-2", Suite: "gateway", Checkout: "/src/b", Deleted: true, Reason: "left by a run that is gone"},
		{Name: "old-e2e-3", Checkout: "/src/c", Reason: "in use by process 7"},
	})
	want := []string{
		"deleted gateway-e2e-1 (suite gateway): kept, and expires in 3h05m",
		"deleted gateway-e2e-2 (suite gateway) of /src/b: left by a run that is gone",
		"left alone old-e2e-3 of /src/c: in use by process 7",
	}
	if !slices.Equal(got, want) {
		t.Errorf("lines\n%q\nwant\n%q", got, want)
	}
	if got := outcomes("/src/a", nil); !slices.Equal(got, []string{"no cluster to delete"}) {
		t.Errorf("nothing: %q", got)
	}
}
