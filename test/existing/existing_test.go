//go:build cluster

package existing

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/hybrid-e2e/hybrid/hybrid/deploy"
)

// suitesVariable names the suites that are run, separated by commas.
const suitesVariable = "SUITES"

func parse(groupVersion string) (schema.GroupVersion, error) {
	return schema.ParseGroupVersion(groupVersion)
}

// run is a mage target in the cluster of the site.
func (s *site) run(t *testing.T, out io.Writer, target string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "tool", "mage", target)
	cmd.Dir = s.root
	cmd.Env = append(os.Environ(), "CLUSTER=existing", "KUBECONFIG="+s.kubeconfig, "CONTEXT=", "REGISTRY="+s.registry+"/team", "KEEP_CLUSTER=")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// TestSuitesPassAndLeaveNothing runs suites, SUITES or fullpipeline, with an account that may do
// what manifests/runner says. The first run is killed with its objects in the cluster; the
// next one removes them.
func TestSuitesPassAndLeaveNothing(t *testing.T) {
	s := newSite(t)
	before := s.objects(t)
	suites := strings.Split(cmp.Or(os.Getenv(suitesVariable), "fullpipeline"), ",")
	s.kill(t, "e2e:"+suites[0])
	if after := s.objects(t); slices.Equal(after, before) {
		t.Error("the killed run left nothing, so that nothing was tried")
	}
	passed := regexp.MustCompile(`(?m)^[1-9][0-9]* passed, 0 failed, 0 skipped$`)
	for i, suite := range suites {
		began := time.Now()
		var out bytes.Buffer
		err := s.run(t, io.MultiWriter(&out, t.Output()), "e2e:"+suite).Run()
		result := passed.FindString(out.String())
		if err != nil || result == "" {
			t.Fatalf("e2e:%s: %v", suite, err)
		}
		t.Logf("e2e:%s took %.1f s: %s", suite, time.Since(began).Seconds(), result)
		if i == 0 && !strings.Contains(out.String(), "removed run ") {
			t.Error("the run says nothing of the one that was killed")
		}
		differ(t, before, s.objects(t))
		left, err := filepath.Glob(filepath.Join(s.root, ".hybrid", suite, "existing", "*"))
		if err != nil || len(left) != 0 {
			t.Errorf("files of the run are left: %q, %v", left, err)
		}
	}
}

// kill starts a target and kills it when it has made a namespace.
func (s *site) kill(t *testing.T, target string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	namespaces, err := kubernetes.NewForConfigOrDie(s.admin).CoreV1().Namespaces().Watch(ctx, metav1.ListOptions{LabelSelector: deploy.RunLabel})
	if err != nil {
		t.Fatal(err)
	}
	defer namespaces.Stop()
	cmd := s.run(t, t.Output(), target)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for event := range namespaces.ResultChan() {
		if n, ok := event.Object.(*corev1.Namespace); ok && event.Type == watch.Added {
			t.Logf("killed with namespace %s", n.Name)
			break
		}
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // It was killed.
}

// differ tells what is in one list alone.
func differ(t *testing.T, before, after []string) {
	t.Helper()
	for _, o := range before {
		if !slices.Contains(after, o) {
			t.Errorf("is gone, or changed: %s", o)
		}
	}
	for _, o := range after {
		if !slices.Contains(before, o) {
			t.Errorf("is left: %s", o)
		}
	}
}

// TestWhatIsMissingIsSaidBeforeAnyWork takes away one right of the account.
func TestWhatIsMissingIsSaidBeforeAnyWork(t *testing.T) {
	s := newSite(t)
	roles := kubernetes.NewForConfigOrDie(s.admin).RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), "hybrid-runner", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, rule := range role.Rules {
		if slices.Contains(rule.Resources, "pods/log") {
			role.Rules = slices.Delete(role.Rules, i, i+1)
			break
		}
	}
	if _, err := roles.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = s.run(t, &out, "e2e:fullpipeline").Run()
	if want := "cluster there does not let the run get pods/log"; err == nil || !strings.Contains(out.String(), want) || strings.Contains(out.String(), "==> build") {
		t.Errorf("%v, want %q before anything is built, printed\n%s", err, want, out.String())
	}
}

// TestShardsRunInTheCluster has a suite, SUITE or gateway, run as shards in the pods of a Job:
// as many as SHARDS says, two without.
func TestShardsRunInTheCluster(t *testing.T) {
	s := newSite(t)
	before := s.objects(t)
	began := time.Now()
	var out bytes.Buffer
	cmd := s.run(t, io.MultiWriter(&out, t.Output()), "e2e:job")
	cmd.Args = append(cmd.Args, cmp.Or(os.Getenv("SHARDS"), "2"))
	err := cmd.Run()
	result := regexp.MustCompile(`(?m)^[1-9][0-9]* passed, 0 failed, 0 skipped$`).FindAllString(out.String(), -1)
	if err != nil || len(result) == 0 {
		t.Fatalf("e2e:job: %v", err)
	}
	t.Logf("e2e:job took %.1f s: %s", time.Since(began).Seconds(), result[len(result)-1])
	if proved := regexp.MustCompile(`merge\.prove .*\d+ specs in \d+ shards, each ran once`).FindString(out.String()); proved == "" {
		t.Error("nothing says that each spec ran once")
	}
	differ(t, before, s.objects(t))
}
