package command

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestACommandDiesWithItsProcess kills a process that runs a command. The command
// holds a pipe open, whose end tells that it is gone.
func TestACommandDiesWithItsProcess(t *testing.T) {
	for grace, want := range map[string]*regexp.Regexp{
		"0s": regexp.MustCompile(`^$`),
		"1m": regexp.MustCompile(`^(asked\n)+$`), // See dieWithUs.
	} {
		fifo := filepath.Join(t.TempDir(), "alive")
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		victim := exec.CommandContext(t.Context(), os.Args[0])
		victim.Env = append(os.Environ(), fifoVariable+"="+fifo, graceVariable+"="+grace)
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(fifo)
		if err != nil {
			t.Fatal(err)
		}
		alive := bufio.NewReader(f)
		if line, err := alive.ReadString('\n'); line != "alive\n" {
			t.Fatalf("grace %s: the command said %q, %v", grace, line, err)
		}
		if err := victim.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := victim.Wait(); err == nil || victim.ProcessState.Success() {
			t.Errorf("grace %s: the victim ended with %v", grace, err)
		}
		if err := f.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(alive); err != nil || !want.Match(rest) {
			t.Errorf("grace %s: the command said %q after the death, %v, want %s", grace, rest, err, want)
		}
		f.Close()
	}
}

// TestTheEndOfAThreadIsNotTheEndOfItsCommands ends threads, which goroutines do that
// return while they hold one, as long as commands run.
func TestTheEndOfAThreadIsNotTheEndOfItsCommands(t *testing.T) {
	var commands, threads sync.WaitGroup
	done := make(chan struct{})
	threads.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			ended := make(chan struct{})
			go func() {
				runtime.LockOSThread()
				close(ended)
			}()
			<-ended
		}
	})
	for range 4 {
		commands.Go(func() {
			for range 10 {
				if _, err := (Exec{}).Run(t.Context(), Command{Args: []string{"sleep", "0.02"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	commands.Wait()
	close(done)
	threads.Wait()
}

func TestGraceIsTheTimeToStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	result := make(chan error, 1)
	go func() {
		_, err := Exec{}.Run(ctx, Command{Grace: 200 * time.Millisecond, Stdout: out, Args: []string{
			"sh", "-c", `trap "" TERM; echo ready; while :; do read -r x < /dev/zero; done`,
		}})
		result <- err
	}()
	if line, err := bufio.NewReader(in).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the command said %q, %v", line, err)
	}
	start := time.Now()
	cancel()
	err := <-result
	if took := time.Since(start); !errors.Is(err, context.Canceled) || took < 200*time.Millisecond || took > killDelay {
		t.Errorf("stopped after %s: %v", took, err)
	}
}
