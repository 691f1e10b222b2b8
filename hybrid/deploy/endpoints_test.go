package deploy

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

const reachable = `apiVersion: v1
kind: Namespace
metadata: {name: ns}
---
apiVersion: v1
kind: Service
metadata: {name: gateway, namespace: ns}
spec: {type: NodePort, ports: [{name: http, port: 8080, nodePort: 30080}, {name: metrics, port: 9090, nodePort: 30090}]}
---
apiVersion: v1
kind: Service
metadata: {name: store, namespace: ns}
spec: {ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: ns}
spec: {type: LoadBalancer, ports: [{name: http, port: 80, nodePort: 30081}]}
`

// reaching is a cluster in which run r1 has deployed what is reachable.
func reaching(t *testing.T) (*cluster, *Deployer) {
	t.Helper()
	c := newCluster(t)
	c.file("m/all.yaml", reachable)
	objects, err := Load(c.root, "m")
	if err != nil {
		t.Fatal(err)
	}
	isolation, err := Isolate("r1", objects)
	if err != nil {
		t.Fatal(err)
	}
	about := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: "ns-r1"} }
	c.put(
		&corev1.Pod{ObjectMeta: about("pending")},
		&corev1.Pod{ObjectMeta: about("pod"), Status: corev1.PodStatus{HostIP: "fd00::7"}},
		&corev1.Service{ObjectMeta: about("gateway"), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{
			{Name: "http", Port: 8080, NodePort: 31111}, {Name: "metrics", Port: 9090, NodePort: 31112}, {Name: "debug", Port: 1, NodePort: 31113},
		}}},
		&corev1.Service{ObjectMeta: about("front"), Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 31114}},
		}},
	)
	return c, c.deployer(Options{Isolation: isolation, Timeout: time.Minute})
}

func TestReachFindsWhatTheClusterGave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := reaching(t)
		time.AfterFunc(20*time.Second, func() {
			c.put(&corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Name: "front", Namespace: "ns-r1"},
				Status:     corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{Hostname: "lb.example.com"}}}},
			})
		})
		start := time.Now()
		got, err := d.Reach(t.Context(), "m")
		want := Reach{Node: "fd00::7", URLs: map[int32]string{
			30080: "http://[fd00::7]:31111", 30090: "http://[fd00::7]:31112", 30081: "http://lb.example.com:80",
		}}
		if err != nil || !reflect.DeepEqual(got, want) || time.Since(start) != 20*time.Second {
			t.Errorf("after %s: %v, %v; want %v", time.Since(start), got, err, want)
		}
	})
}

func TestReachTellsWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, d := reaching(t)
		_, err := d.Reach(t.Context(), "m")
		want := "find where Service ns/front (m/all.yaml, document 4) is reached: no load balancer gave it an address within 1m0s"
		if err == nil || !strings.HasPrefix(err.Error(), want) || fault.Next(err) != "kubectl --kubeconfig /kc --namespace ns-r1 describe service front" {
			t.Errorf("%v, next %q; want %s", err, fault.Next(err), want)
		}
	})
	c, d := reaching(t)
	if err := c.typed.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "ns-r1", "pod"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Reach(t.Context(), "m"); err == nil || err.Error() != "no pod of ns-r1 runs on a node" {
		t.Errorf("error %v", err)
	}
}
