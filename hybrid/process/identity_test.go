package process

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestSelfIsAlive(t *testing.T) {
	self := Self()
	if self.PID != os.Getpid() || self.Start == 0 || self.Boot == "" || self.Namespace == "" || self.Host == "" {
		t.Errorf("identity %+v", self)
	}
	if !self.Alive() || !self.Here() {
		t.Errorf("this process counts as gone: %+v", self)
	}
	if again := Self(); again != self {
		t.Errorf("identified as %+v, then as %+v", self, again)
	}
}

func TestTheZeroIdentityIsNobody(t *testing.T) {
	if (Identity{}).Alive() {
		t.Error("nobody is alive")
	}
}

// TestAReusedIDIsAnotherProcess gives this process's id to one that started at
// another time.
func TestAReusedIDIsAnotherProcess(t *testing.T) {
	for what, change := range map[string]func(*Identity){
		"started earlier":          func(i *Identity) { i.Start-- },
		"before the last restart":  func(i *Identity) { i.Boot = "another" },
		"in another container":     func(i *Identity) { i.Namespace = "pid:[1]" },
		"on another machine":       func(i *Identity) { i.Boot, i.Host = "another", "elsewhere" },
		"an id that is not in use": func(i *Identity) { i.PID = 1 << 22 }, // Above the kernel's largest.
	} {
		other := Self()
		change(&other)
		if other.Alive() {
			t.Errorf("%s: counts as alive", what)
		}
		if want := !strings.Contains(what, "another"); other.Here() != want {
			t.Errorf("%s: can be seen from here: %t", what, other.Here())
		}
	}
}

// TestAKilledProcessIsGone looks at a real process before and after its end.
func TestAKilledProcessIsGone(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "echo ready; exec sleep 600")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	i, err := Of(cmd.Process.Pid)
	if err != nil || !i.Alive() {
		t.Fatalf("%+v, %v, alive: %t", i, err, i.Alive())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	if i.Alive() {
		t.Error("a killed process counts as alive")
	}
	if _, err := Of(cmd.Process.Pid); !errors.Is(err, ErrGone) {
		t.Errorf("error %v", err)
	}
}

func TestParseStat(t *testing.T) {
	rest := " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	for name, program := range map[string]string{
		"plain": "42 (mage)", "blanks": "42 (a b c)", "parentheses": "42 (a) R 9 (b)",
	} {
		start, err := parseStat([]byte(program + rest))
		if start != 4711 || err != nil {
			t.Errorf("%s: %d, %v", name, start, err)
		}
	}
	if _, err := parseStat([]byte("42 (mage)" + strings.Replace(rest, " S ", " Z ", 1))); !errors.Is(err, ErrGone) {
		t.Errorf("a zombie: %v", err)
	}
	for _, broken := range []string{"", "42 (mage) S 1 2", "42 mage S"} {
		if _, err := parseStat([]byte(broken)); err == nil || errors.Is(err, ErrGone) {
			t.Errorf("%q: %v", broken, err)
		}
	}
}
