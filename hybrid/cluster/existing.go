package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// howToName says how a cluster that exists is named.
const howToName = "KUBECONFIG=<one file> CONTEXT=<name in it>"

// existing reads how to reach a cluster that somebody else made, and the name of the
// context that says so. The file has to be named, ~/.kube/config is not looked for, and so
// has the context unless it is the only one: which one a person last used kubectl with is
// never what decides. No cluster is asked anything.
func existing(kubeconfig, name string) (file *clientcmdapi.Config, chosen string, err error) {
	if kubeconfig == "" {
		return nil, "", fault.With(errors.New("no kubeconfig is named: the cluster of ~/.kube/config is never taken by accident"), howToName)
	}
	if file, err = clientcmd.LoadFromFile(kubeconfig); err != nil {
		return nil, "", fault.With(fmt.Errorf("read KUBECONFIG: %w", err), howToName)
	}
	names := slices.Sorted(maps.Keys(file.Contexts))
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	if file.Contexts[name] == nil {
		what := "no context is named"
		if name != "" {
			what = fmt.Sprintf("there is no context %q", name)
		}
		return nil, "", fault.With(fmt.Errorf("%s: %s has %s", what, kubeconfig, listed(names)), howToName)
	}
	file.CurrentContext = name
	if err := errors.Join(clientcmd.ResolveLocalPaths(file), clientcmdapi.MinifyConfig(file)); err != nil {
		return nil, "", fault.With(fmt.Errorf("the context %q of %s: %w", name, kubeconfig, err), howToName)
	}
	return file, name, nil
}

// Adopt gives a cluster that somebody else made: the one that the kubeconfig names by its
// context, which may be empty when there is no other. A copy of what the kubeconfig says of
// it is written to the file own, for the run and what it starts; Delete removes that copy
// and nothing else. No cluster is asked anything.
func Adopt(kubeconfig, name, own string) (*Cluster, error) {
	file, name, err := existing(kubeconfig, name)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Kubeconfig: own, adopted: true, record: Record{Config: Config{Name: name}}}
	if err := clientcmd.WriteToFile(*file, own); err != nil {
		return nil, fmt.Errorf("write the run's kubeconfig: %w", err)
	}
	return c, c.connect()
}

// accessTimeout bounds the first question to a cluster that exists.
const accessTimeout = 10 * time.Second

// minor is the oldest Kubernetes 1.x in which a sidecar ends after the container that it
// serves, by which coverage data is delivered.
const minor = 29

// Access asks a cluster for its version and whether the run may do there what it will do.
// The platform of the API server, such as linux/amd64, is taken for that of the nodes.
func (c *Cluster) Access(ctx context.Context) (version, platform string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, accessTimeout, fmt.Errorf("no answer within %s", accessTimeout))
	defer cancel()
	clients, err := kubernetes.NewForConfig(c.REST)
	if err != nil {
		return "", "", err
	}
	next := "kubectl --kubeconfig " + c.Kubeconfig + " auth whoami"
	var told apiversion.Info
	answer, err := clients.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err == nil {
		err = json.Unmarshal(answer, &told)
	}
	if err != nil {
		return "", "", fault.With(fmt.Errorf("ask cluster %s for its version: %w", c.Name(), errors.Join(context.Cause(ctx), err)), next)
	}
	if n, err := strconv.Atoi(strings.TrimRight(told.Minor, "+")); err == nil && told.Major == "1" && n < minor {
		return "", "", fault.With(fmt.Errorf("cluster %s runs Kubernetes %s; 1.%d is the oldest that works", c.Name(), told.GitVersion, minor), "take a newer cluster")
	}
	var refused []string
	for _, a := range needed() {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &a}}
		answer, err := clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return "", "", fault.With(fmt.Errorf("ask cluster %s what the run may do: %w", c.Name(), err), next)
		}
		if !answer.Status.Allowed {
			refused = append(refused, strings.TrimSuffix(a.Verb+" "+a.Resource+"/"+a.Subresource, "/"))
		}
	}
	if len(refused) > 0 {
		return "", "", fault.With(fmt.Errorf("cluster %s does not let the run %s", c.Name(), strings.Join(refused, ", ")),
			"have an administrator apply manifests/runner, see docs/how-to/existing-cluster.md")
	}
	return told.GitVersion, told.Platform, nil
}

// needed is what every run does; what a suite's own manifests and specs need beside it shows
// when they are applied.
func needed() []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	add := func(group, resource, sub string, verbs ...string) {
		for _, verb := range verbs {
			all = append(all, authorizationv1.ResourceAttributes{Group: group, Resource: resource, Subresource: sub, Verb: verb})
		}
	}
	add("", "namespaces", "", "create", "patch", "list", "watch", "delete")
	add("", "secrets", "", "create")
	add("", "services", "", "create", "patch")
	add("", "pods", "", "list", "watch")
	add("", "pods", "log", "get")
	add("apps", "deployments", "", "create", "patch", "list", "watch")
	add("apps", "deployments", "scale", "patch")
	add("rbac.authorization.k8s.io", "clusterroles", "", "list")
	add("rbac.authorization.k8s.io", "clusterrolebindings", "", "list")
	return all
}

// listed names the contexts that there are.
func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
