package cluster

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// kubeconfig writes a file whose current context is the first; each is of a cluster of its
// own name.
func kubeconfig(t *testing.T, contexts ...string) string {
	t.Helper()
	text := "apiVersion: v1\nkind: Config\n"
	if len(contexts) > 0 {
		text += "current-context: " + contexts[0] + "\n"
	}
	text += "users: [{name: u, user: {token: t}}]\nclusters:\n"
	for _, c := range contexts {
		text += "- {name: " + c + ", cluster: {server: 'https://" + c + ":6443'}}\n"
	}
	text += "contexts:\n"
	for _, c := range contexts {
		text += "- {name: " + c + ", context: {cluster: " + c + ", user: u}}\n"
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAdoptTakesWhatIsNamed(t *testing.T) {
	for _, c := range []struct {
		contexts   []string
		want, host string
		context    string
	}{
		{contexts: []string{"only"}, want: "only", host: "https://only:6443"},
		{contexts: []string{"prod", "test"}, context: "test", want: "test", host: "https://test:6443"},
	} {
		own := filepath.Join(t.TempDir(), "own")
		adopted, err := Adopt(kubeconfig(t, c.contexts...), c.context, own)
		if err != nil {
			t.Fatal(err)
		}
		if got := adopted.Name() + " " + adopted.REST.Host + " " + adopted.REST.BearerToken; got != c.want+" "+c.host+" t" {
			t.Errorf("%v %q: %s", c.contexts, c.context, got)
		}
		copied, err := os.ReadFile(own)
		if err != nil || strings.Contains(string(copied), "prod") || adopted.Kubeconfig != own {
			t.Errorf("the run's kubeconfig %s: %v\n%s", adopted.Kubeconfig, err, copied)
		}
		if info, err := os.Stat(own); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the run's kubeconfig: %v, %v", info.Mode(), err)
		}
		if err := adopted.Delete(t.Context(), io.Discard); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(own); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the run's kubeconfig is still there: %v", err)
		}
	}
}

func TestAdoptNeverGuesses(t *testing.T) {
	t.Setenv("KUBECONFIG", kubeconfig(t, "env"))
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.Mkdir(filepath.Join(home, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kubeconfig(t, "home"), filepath.Join(home, ".kube", "config")); err != nil {
		t.Fatal(err)
	}
	two, none := kubeconfig(t, "prod", "test"), kubeconfig(t)
	for _, c := range []struct{ file, context, want string }{
		{"", "", "no kubeconfig is named: the cluster of ~/.kube/config is never taken by accident"},
		{"", "home", "no kubeconfig is named: the cluster of ~/.kube/config is never taken by accident"},
		{two, "", "no context is named: " + two + " has prod, test"},
		{two, "stage", `there is no context "stage": ` + two + " has prod, test"},
		{none, "", "no context is named: " + none + " has none"},
		{two + ":" + none, "prod", "read KUBECONFIG: open "},
	} {
		own := filepath.Join(t.TempDir(), "own")
		adopted, err := Adopt(c.file, c.context, own)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || adopted != nil {
			t.Errorf("%q %q: %v, error %v, want %s", c.file, c.context, adopted, err, c.want)
		}
		if _, err := os.Stat(own); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q %q: a kubeconfig was written: %v", c.file, c.context, err)
		}
		if next := fault.Next(err); next != "KUBECONFIG=<one file> CONTEXT=<name in it>" {
			t.Errorf("%q %q: next %q", c.file, c.context, next)
		}
	}
}

// apiServer answers for its version and what is allowed.
func apiServer(t *testing.T, minor string, allowed func(verb, resource string) bool) *Cluster {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any = version.Info{Major: "1", Minor: minor, GitVersion: "v1." + minor + ".0", Platform: "linux/arm64"}
		if r.URL.Path != "/version" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			asked, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
			review, ok := asked.(*authorizationv1.SelfSubjectAccessReview)
			if !ok {
				t.Errorf("asked %T, %v", asked, err)
				return
			}
			a := review.Spec.ResourceAttributes
			review.Status.Allowed = allowed(a.Verb, a.Resource+"/"+a.Subresource)
			review.SetGroupVersionKind(authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"))
			answer = review
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	text, err := os.ReadFile(kubeconfig(t, "only"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "https://only:6443", s.URL, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Adopt(file, "", filepath.Join(t.TempDir(), "own"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAccess(t *testing.T) {
	all := func(string, string) bool { return true }
	version, platform, err := apiServer(t, "29+", all).Access(t.Context())
	if version != "v1.29+.0" || platform != "linux/arm64" || err != nil {
		t.Errorf("version %q, platform %q, %v", version, platform, err)
	}
	for _, c := range []struct {
		minor   string
		allowed func(verb, resource string) bool
		want    string
	}{
		{"28", all, "cluster only runs Kubernetes v1.28.0; 1.29 is the oldest that works"},
		{
			"37", func(verb, resource string) bool { return verb != "delete" && resource != "pods/log" },
			"cluster only does not let the run delete namespaces, get pods/log",
		},
	} {
		if _, _, err := apiServer(t, c.minor, c.allowed).Access(t.Context()); err == nil || err.Error() != c.want || fault.Next(err) == "" {
			t.Errorf("error %v, next %q; want %s", err, fault.Next(err), c.want)
		}
	}
}

func TestAClusterThatDoesNotAnswerIsNamed(t *testing.T) {
	c, err := Adopt(kubeconfig(t, "only"), "", filepath.Join(t.TempDir(), "own"))
	if err != nil {
		t.Fatal(err)
	}
	c.REST.Host = "https://127.0.0.1:1"
	if _, _, err := c.Access(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "ask cluster only for its version: ") {
		t.Errorf("error %v", err)
	}
}

// TestManifestsOfTheRunnerAllowWhatIsAsked holds manifests/runner against what every run
// asks the cluster for.
func TestManifestsOfTheRunnerAllowWhatIsAsked(t *testing.T) {
	text, err := os.ReadFile("../../manifests/runner/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		if strings.Contains("\n"+document, "\nkind: ClusterRole\n") {
			if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, a := range needed() {
		resource := strings.TrimSuffix(a.Resource+"/"+a.Subresource, "/")
		if !slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.APIGroups, a.Group) && slices.Contains(r.Resources, resource) && slices.Contains(r.Verbs, a.Verb)
		}) {
			t.Errorf("it does not allow to %s %s", a.Verb, resource)
		}
	}
}
