package infrastructure

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/soak"
)

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
