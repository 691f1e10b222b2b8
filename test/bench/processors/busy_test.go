package processors

import "testing"

func TestBusyIsWhatIsNeitherIdleNorWaiting(t *testing.T) {
	busy, err := parse("cpu  100 200 300 9999 8888 400 500 600 77 0\ncpu0 1 2\n")
	if err != nil || busy != 21 {
		t.Errorf("got %g, %v", busy, err)
	}
	if _, err := parse("intr 1"); err == nil {
		t.Error("no line of cpu, and no error")
	}
}
