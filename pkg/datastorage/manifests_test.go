package datastorage_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
)

// manifest decodes a file strictly: the API server would drop a misspelt field.
func manifest[T any](t *testing.T, path ...string) T {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "manifests"}, path...)...))
	must(t, err)
	var object T
	must(t, yaml.UnmarshalStrict(body, &object))
	return object
}

// The manifests and the defaults of the service name the same ports, folders and
// times; this test is what keeps them so.
func TestManifestsAgreeWithTheDefaults(t *testing.T) {
	c := config.Default()
	deployment := manifest[appsv1.Deployment](t, "datastorage", "deployment.yaml")
	pod := deployment.Spec.Template.Spec
	container := pod.Containers[0]

	ports := map[string]int32{}
	for _, port := range container.Ports {
		ports[port.Name] = port.ContainerPort
	}
	for name, address := range map[string]string{"http": c.Server.Address, "metrics": c.Server.MetricsAddress} {
		if got := (&net.TCPAddr{Port: int(ports[name])}).String(); got != address {
			t.Errorf("port %s is %s, the default is %s", name, got, address)
		}
	}
	if got := container.ReadinessProbe.HTTPGet.Path; got != server.PathReady {
		t.Errorf("readiness probe asks %s", got)
	}
	if got := container.LivenessProbe.HTTPGet.Path; got != server.PathLive {
		t.Errorf("liveness probe asks %s", got)
	}
	grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	if own := c.Server.ShutdownDelay + c.Server.DrainTimeout; grace <= own {
		t.Errorf("the pod is killed after %s, the service may need %s", grace, own)
	}
	mounts := map[string]string{}
	for _, mount := range container.VolumeMounts {
		mounts[mount.MountPath] = mount.Name
	}
	for _, folder := range []string{c.PostgreSQL.Secrets, c.Redis.Secrets} {
		if _, ok := mounts[folder]; !ok {
			t.Errorf("nothing is mounted at %s", folder)
		}
	}
}

// A service name and port in the defaults is one that a manifest creates.
func TestDefaultsNameTheServicesOfTheStores(t *testing.T) {
	c := config.Default()
	for folder, address := range map[string]string{"postgresql": c.PostgreSQL.Address, "redis": c.Redis.Address} {
		service := manifest[corev1.Service](t, folder, "service.yaml")
		deployment := manifest[appsv1.Deployment](t, folder, "deployment.yaml")
		host, port, err := net.SplitHostPort(address)
		must(t, err)
		declared := service.Spec.Ports[0]
		container := deployment.Spec.Template.Spec.Containers[0].Ports[0]
		if service.Name != host || (&net.TCPAddr{Port: int(declared.Port)}).String() != ":"+port {
			t.Errorf("service %s:%d, the default is %s", service.Name, declared.Port, address)
		}
		if declared.TargetPort.StrVal != container.Name || container.ContainerPort != declared.Port {
			t.Errorf("%s: service port %+v, container port %+v", folder, declared, container)
		}
		manifest[corev1.ConfigMap](t, folder, "configmap.yaml")
	}
	manifest[corev1.Service](t, "datastorage", "service.yaml")
	manifest[corev1.Namespace](t, "namespaces", "kubernaut-system.yaml")
}
