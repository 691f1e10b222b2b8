//go:build cluster

package existing

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kind "sigs.k8s.io/kind/pkg/cluster"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/deploy"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
)

const (
	clusterName   = "not-hybrids"
	clusterWait   = 4 * time.Minute
	registryWait  = 30 * time.Second
	tokenLifetime = 2 * time.Hour
)

// site is a cluster that the pipeline did not make, with a registry beside it.
type site struct {
	root string
	// admin may do everything, kubeconfig is of an account that may do what
	// manifests/runner says.
	admin      *rest.Config
	kubeconfig string
	registry   string
}

func newSite(t *testing.T) *site {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{root: root}
	certs := t.TempDir()
	s.makeCluster(t, certs)
	s.startRegistry(t, certs)
	s.makeAccount(t)
	return s
}

// output runs a command to its end.
func output(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
	cmd.Dir = dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, complaints.String())
	}
	return strings.TrimSpace(string(out))
}

// makeCluster makes a Kind cluster as its users do, whose nodes look for registries in the
// folder certs.
func (s *site) makeCluster(t *testing.T, certs string) {
	t.Helper()
	e, err := engine.Detect(t.Context(), command.Exec{}, engine.Docker)
	if err != nil {
		t.Fatal(err)
	}
	_, node, err := offline.ControlPlane(t.Context(), offline.Options{Root: s.root, Engine: e, Runner: command.Exec{}})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "admin")
	provider := kind.NewProvider(kind.ProviderWithDocker())
	config := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{APIVersion: "kind.x-k8s.io/v1alpha4", Kind: "Cluster"},
		Nodes: []v1alpha4.Node{{
			Role: v1alpha4.ControlPlaneRole, Image: node,
			ExtraMounts: []v1alpha4.Mount{{HostPath: certs, ContainerPath: "/etc/containerd/certs.d", Readonly: true}},
		}},
		ContainerdConfigPatches: []string{
			"[plugins.'io.containerd.cri.v1.images'.registry]\n  config_path = '/etc/containerd/certs.d'\n",
		},
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		// Without this setting there would be no cluster at all.
		config.KubeadmConfigPatches = []string{"kind: KubeletConfiguration\nfailCgroupV1: false\n"}
		config.Networking.KubeProxyMode = v1alpha4.IPTablesProxyMode
	}
	t.Cleanup(func() {
		if err := provider.Delete(clusterName, kubeconfig); err != nil {
			t.Error(err)
		}
	})
	err = provider.Create(clusterName, kind.CreateWithV1Alpha4Config(config), kind.CreateWithKubeconfigPath(kubeconfig),
		kind.CreateWithWaitForReady(clusterWait), kind.CreateWithDisplayUsage(false), kind.CreateWithDisplaySalutation(false))
	if err != nil {
		t.Fatal(err)
	}
	if s.admin, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		t.Fatal(err)
	}
}

// startRegistry starts the registry of the distribution project where this machine and the
// nodes reach it under one address, and tells the nodes that it speaks HTTP.
func (s *site) startRegistry(t *testing.T, certs string) {
	t.Helper()
	gateway := output(t, s.root, "docker", "network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}", "kind")
	host := ""
	for address := range strings.FieldsSeq(gateway) {
		if ip := net.ParseIP(address); ip != nil && ip.To4() != nil {
			host = address
		}
	}
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s.registry = free.Addr().String()
	dir := filepath.Join(certs, s.registry)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	hosts := fmt.Sprintf("server = %q\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", "http://"+s.registry, "http://"+s.registry)
	if err := os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "registry.yaml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n", t.TempDir(), s.registry)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// Its program, once, so that it is the process that is ended.
	program := filepath.Join(t.TempDir(), "registry")
	output(t, s.root, "go", "build", "-modfile=tools/go.mod", "-o", program, "github.com/distribution/distribution/v3/cmd/registry")
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "serve", config)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	var complaints bytes.Buffer // It tells of each layer that it does not have yet.
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { <-ended }) // It is killed with the context.
	deadline := time.After(registryWait)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.registry)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		case err := <-ended:
			ended <- err
			t.Fatalf("the registry ended: %v\n%s", err, complaints.String())
		}
	}
}

// makeAccount applies manifests/runner as an administrator would, and writes a kubeconfig of
// its account.
func (s *site) makeAccount(t *testing.T) {
	t.Helper()
	d, err := deploy.New(deploy.Options{Config: s.admin, Root: s.root, Namespace: "hybrid-runner"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Setup(t.Context(), nil, "manifests/runner"); err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLifetime.Seconds()))}}
	made, err := kubernetes.NewForConfigOrDie(s.admin).CoreV1().ServiceAccounts("hybrid-runner").CreateToken(t.Context(), "runner", request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["there"] = &clientcmdapi.Cluster{Server: s.admin.Host, CertificateAuthorityData: s.admin.CAData}
	config.AuthInfos["runner"] = &clientcmdapi.AuthInfo{Token: made.Status.Token}
	config.Contexts["there"] = &clientcmdapi.Context{Cluster: "there", AuthInfo: "runner"}
	s.kubeconfig = filepath.Join(t.TempDir(), "runner")
	if err := clientcmd.WriteToFile(*config, s.kubeconfig); err != nil {
		t.Fatal(err)
	}
}

// objects are all that there are in the cluster, with what says that one was changed by
// somebody. Events and what Kubernetes itself renews are not among them.
func (s *site) objects(t *testing.T) []string {
	t.Helper()
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(s.admin).ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(s.admin)
	var all []string
	for _, list := range lists {
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || slices.Contains([]string{"events", "leases", "componentstatuses", "endpoints", "endpointslices"}, r.Name) {
				continue
			}
			gv, _ := parse(list.GroupVersion)
			found, err := client.Resource(gv.WithResource(r.Name)).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range found.Items {
				o := &found.Items[i]
				all = append(all, fmt.Sprintf("%s %s/%s %s %d %v", r.Name, o.GetNamespace(), o.GetName(), o.GetUID(), o.GetGeneration(), o.GetLabels()))
			}
		}
	}
	slices.Sort(all)
	return all
}
