package infrastructure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/soak"
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

func TestASoakEndsWithTheExitCodeOfARun(t *testing.T) {
	for want, err := range map[int]error{
		1: &soak.FailedError{Run: 2, ExitCode: 1, Err: errors.New("exit status 1")},
		3: &soak.FailedError{Run: 2, ExitCode: 3, Err: errors.New("exit status 3")},
	} {
		got := soaked(errors.Join(err, soak.ErrNotFlat))
		if code := ExitCode(got); code != want {
			t.Errorf("exit code %d, want %d", code, want)
		}
		if text := got.Error(); text != err.Error()+"\ndisk use is not flat" {
			t.Errorf("text %q", text)
		}
	}
	if code := ExitCode(soaked(fmt.Errorf("%w: much", soak.ErrNotFlat))); code != 1 {
		t.Errorf("disk use: exit code %d", code)
	}
	if code := ExitCode(soaked(context.Canceled)); code != 3 {
		t.Errorf("Ctrl-C: exit code %d", code)
	}
	if err := soaked(nil); err != nil {
		t.Error(err)
	}
}
