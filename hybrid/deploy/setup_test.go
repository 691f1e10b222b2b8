package deploy

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

const (
	namespaceManifest = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns, labels: {pod-security.kubernetes.io/enforce: restricted}}\n"
	crdManifest       = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: rs.kubernaut.ai}\n"
)

// store puts an applied object where watches see it, with the given status.
func (c *cluster) store(u *unstructured.Unstructured, status map[string]any) {
	stored := u.DeepCopy()
	stored.Object["status"] = status
	resource := map[string]string{"Namespace": "namespaces", "CustomResourceDefinition": "customresourcedefinitions"}[u.GetKind()]
	gvr := u.GroupVersionKind().GroupVersion().WithResource(resource)
	if c.dynamic.Tracker().Create(gvr, stored, "") != nil {
		if err := c.dynamic.Tracker().Update(gvr, stored, ""); err != nil {
			c.t.Error(err)
		}
	}
}

func established(status string) map[string]any {
	return map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": status}}}
}

func TestSetupWaitsUntilNamespacesAndCRDsAreTakenIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.file("setup/namespace.yaml", namespaceManifest)
		c.file("crd.yaml", crdManifest)
		var crd, namespace *unstructured.Unstructured
		c.onApply = func(u *unstructured.Unstructured) error {
			if u.GetKind() == "Namespace" {
				namespace = u.DeepCopy()
				u.Object["status"] = map[string]any{"phase": "Active"}
				return nil
			}
			crd = u.DeepCopy()
			c.store(u, established("False"))
			return nil
		}
		var log bytes.Buffer
		result := make(chan error, 1)
		d := c.deployer(Options{Coverage: map[string]string{"hybrid.local/gateway": "gateway/1"}})
		go func() { result <- d.Setup(t.Context(), &log, "setup", "crd.yaml") }()
		synctest.Wait()
		time.Sleep(2 * time.Second)
		c.store(crd, established("True"))
		if err := <-result; err != nil {
			t.Fatal(err)
		}
		if got := namespace.GetLabels()[enforceLabel]; got != "privileged" {
			t.Errorf("enforce=%s", got)
		}
		if got, want := log.String(), "applied 2 objects in 2s\n"; got != want {
			t.Errorf("log %q, want %q", got, want)
		}
		if c.mapper.resets != 1 {
			t.Errorf("%d resets of the mapper: kinds of the new CRD would not be found", c.mapper.resets)
		}
	})
}

func TestSetupTimesOutWithTheNextCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.file("crd.yaml", crdManifest)
		c.onApply = func(u *unstructured.Unstructured) error { c.store(u, established("False")); return nil }
		err := c.deployer(Options{}).Setup(t.Context(), nil, "crd.yaml")
		if want := "CustomResourceDefinition rs.kubernaut.ai (crd.yaml, document 1) exists but is not usable after 30s"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if got, want := fault.Next(err), "kubectl --kubeconfig /kc describe CustomResourceDefinition rs.kubernaut.ai"; got != want {
			t.Errorf("next %q, want %q", got, want)
		}
	})
}

func TestSetupReportsAllMistakes(t *testing.T) {
	c := newCluster(t)
	c.file("a.yaml", "kind: ConfigMap\n")
	err := c.deployer(Options{}).Setup(t.Context(), nil, "a.yaml", "gone")
	if err == nil || !strings.HasPrefix(err.Error(), "a.yaml: document 1: apiVersion is missing\nfind the manifests: ") {
		t.Errorf("got %v", err)
	}
}

func TestApplyRetriesPassingFailuresOnly(t *testing.T) {
	busy := apierrors.NewServiceUnavailable("starting")
	refused := &apierrors.StatusError{ErrStatus: metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"}}
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "ConfigMap"}, "a", nil)
	for name, tt := range map[string]struct {
		answers []error
		calls   int
		took    time.Duration
		want    string
		next    string
	}{
		"comes up":      {[]error{busy, busy, nil}, 3, 750 * time.Millisecond, "", ""},
		"stays busy":    {slices.Repeat([]error{busy}, 13), 13, 19750 * time.Millisecond, "apply ConfigMap ns/a (a.yaml, document 1): starting", ""},
		"not known yet": {[]error{refused, refused, nil}, 3, 750 * time.Millisecond, "", ""},
		"refused":       {slices.Repeat([]error{refused}, 4), 4, 1750 * time.Millisecond, "apply ConfigMap ns/a (a.yaml, document 1): no", ""},
		"invalid": {
			[]error{invalid},
			1, 0, `apply ConfigMap ns/a (a.yaml, document 1): ConfigMap "a" is invalid`,
			"correct the manifest or, when it changed a field that is fixed once the object exists: kubectl --kubeconfig /kc --namespace ns delete ConfigMap a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				c.file("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
				answers := slices.Clone(tt.answers)
				c.onApply = func(*unstructured.Unstructured) error {
					answer := answers[0]
					answers = answers[1:]
					return answer
				}
				begin := time.Now()
				err := c.deployer(Options{}).Setup(t.Context(), nil, "a.yaml")
				got := ""
				if err != nil {
					got = err.Error()
				}
				if got != tt.want || fault.Next(err) != tt.next {
					t.Errorf("got %q next %q\nwant %q next %q", got, fault.Next(err), tt.want, tt.next)
				}
				if calls := len(c.appliedObjects()); calls != tt.calls || time.Since(begin) != tt.took {
					t.Errorf("%d calls in %s, want %d in %s", calls, time.Since(begin), tt.calls, tt.took)
				}
			})
		})
	}
}

func TestApplyOfAKindThatIsNotDefined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.file("a.yaml", "apiVersion: kubernaut.ai/v1alpha1\nkind: Riddle\nmetadata: {name: a}\n")
		err := c.deployer(Options{}).Setup(t.Context(), nil, "a.yaml")
		if want := `apply Riddle a (a.yaml, document 1): no matches for kind "Riddle" in version "kubernaut.ai/v1alpha1"`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if c.mapper.resets != 4 {
			t.Errorf("%d resets", c.mapper.resets)
		}
	})
}

func TestRetryEndsWithItsContext(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	busy := apierrors.NewTooManyRequests("busy", 1)
	err := retry(ctx, func() error { cancel(stop); return busy })
	if !errors.Is(err, stop) || !errors.Is(err, busy) {
		t.Errorf("got %v", err)
	}
}

// An API server that was started anew does not know its roles yet.
func TestRetryIsPatientWithAnAPIServerThatWasAway(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, "a", errors.New("no role"))
	for name, c := range map[string]struct {
		away, forbidden time.Duration
		want            error
	}{
		"a moment":         {0, time.Second, nil},
		"more than that":   {0, 3 * time.Second, forbidden},
		"away before":      {2 * time.Second, 8 * time.Second, nil},
		"away, then never": {2 * time.Second, time.Hour, forbidden},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			err := retry(t.Context(), func() error {
				switch since := time.Since(start); {
				case since < c.away:
					return syscall.ECONNREFUSED
				case since < c.forbidden:
					return forbidden
				}
				return nil
			})
			if took := time.Since(start); !errors.Is(err, c.want) || took > awayTimeout {
				t.Errorf("%s: after %s %v, want %v", name, took, err, c.want)
			}
		})
	}
}

func TestSecret(t *testing.T) {
	c := newCluster(t)
	d := c.deployer(Options{})
	read := func() map[string][]byte {
		s, err := c.typed.CoreV1().Secrets(testNamespace).Get(t.Context(), "auth", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s.Data
	}
	if err := d.Secret(t.Context(), "auth", map[string]string{"username": "audit"}, []string{"password"}); err != nil {
		t.Fatal(err)
	}
	first := read()
	if string(first["username"]) != "audit" || !regexp.MustCompile(`^[0-9a-f]{32}$`).Match(first["password"]) || len(first) != 2 {
		t.Errorf("got %q", first)
	}
	// A kept cluster keeps its values, and gets what is new.
	if err := d.Secret(t.Context(), "auth", map[string]string{"username": "other"}, []string{"password", "token"}); err != nil {
		t.Fatal(err)
	}
	second := read()
	if !bytes.Equal(second["password"], first["password"]) || string(second["username"]) != "audit" || len(second["token"]) != 32 || len(second) != 3 {
		t.Errorf("got %q after %q", second, first)
	}
	if err := d.Secret(t.Context(), "auth", nil, []string{"password"}); err != nil {
		t.Error(err)
	}
	err := d.Secret(t.Context(), "auth", map[string]string{"password": "x"}, []string{"password"})
	if err == nil || err.Error() != `secret auth: key "password" is declared twice` {
		t.Errorf("got %v", err)
	}
	c.typed.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewNotFound(corev1.Resource("namespaces"), testNamespace)
	})
	if err := d.Secret(t.Context(), "auth", nil, nil); err == nil || err.Error() != `create secret ns/auth: namespaces "ns" not found` {
		t.Errorf("got %v", err)
	}
}

// New is tried against a real HTTP server, since clients are made of a Config.
func TestNew(t *testing.T) {
	if _, err := New(Options{Namespace: "ns"}); err == nil {
		t.Error("no Config, no error")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "hybrid" {
			t.Errorf("user agent %q", r.UserAgent())
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Warning", `299 - "would violate PodSecurity"`)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"BadRequest","message":"go away","code":400}`))
	}))
	defer server.Close()
	d, err := New(Options{Config: &rest.Config{Host: server.URL}, Namespace: "ns"})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	err = d.Secret(withLog(t.Context(), &log), "a", nil, nil)
	if err == nil || err.Error() != "create secret ns/a: go away" {
		t.Errorf("got %v", err)
	}
	if got, want := log.String(), "warning of the API server: would violate PodSecurity\n"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
	if got := d.kubectl("get pods"); got != "kubectl get pods" {
		t.Errorf("got %q", got)
	}
}
