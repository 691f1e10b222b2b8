package gateway

import (
	"context"
	"net/http"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// The spare endpoints by the spec that uses them: specs run at the same time, so
// each has its own. The permissions use all from spareOfPermissions on.
const (
	spareOfReplicas = iota
	spareOfRestart
	spareOfRollingUpdate
	spareOfBurst
	spareOfReload
	spareOfRedis
	spareOfRedisStorage
	spareOfPostgreSQL
	spareOfPostgreSQLStorage
	spareOfDataStorage
	spareOfDataStorageStorage
	spareOfPermissions
)

// gatewayRole is the ClusterRole of the Gateway, from its manifests.
const gatewayRole = "gateway"

// deployedConfig is a configuration like that of the manifests, for an instance
// that changes it.
func (s *system) deployedConfig() string {
	return "processing:\n  fallback_namespace: " + s.Env.Namespace + "\naudit:\n  data_storage_url: http://datastorage:8080\n"
}

// quickStop is for the configuration of a Gateway that is stopped on purpose: it
// ends without the pause that is for load balancers.
const quickStop = "\nshutdown:\n  delay: 0s\n"

// instance is what a spec starts for itself because it is going to disturb it:
// copies of deployed workloads, in a namespace of their own.
type instance struct {
	// workloads are copied; the Gateway must be one. Those that are not are the ones
	// that all share.
	workloads []string
	// spare is the number of the endpoint at which the Gateway is reached, and
	// spareStorage that of DataStorage if that is copied too.
	spare, spareStorage int
	// role is the ClusterRole of the Gateway; empty means the deployed one.
	role string
	// adjust may change the copies before they are created.
	adjust func(*appsv1.Deployment)
	// config replaces the Gateway's configuration; empty means the deployed one.
	config string
}

// start creates the instance and returns the system that it forms: everything that
// can be asked of the shared one can be asked of it. It does not wait.
func (s *system) start(ctx context.Context, i instance) *system {
	GinkgoHelper()
	own := &system{Bed: s.Elsewhere(s.namespace(ctx)), token: s.token, stranger: s.stranger}
	// A Gateway with a role of its own may never become ready, which is to be seen.
	own.Open(ctx, "gateway", "http", infrastructure.EndpointGateway, infrastructure.Spare(i.spare), i.role != "")
	s.bindGateway(ctx, own.Env.Namespace, i.role)
	for _, workload := range []string{testbed.PostgreSQL, testbed.Redis, "datastorage"} {
		if !slices.Contains(i.workloads, workload) {
			s.Link(ctx, own.Bed, workload)
		}
	}
	if slices.Contains(i.workloads, "datastorage") {
		own.Open(ctx, "datastorage", "http", infrastructure.EndpointDataStorage, infrastructure.Spare(i.spareStorage), false)
	}
	for _, workload := range i.workloads {
		s.Copy(ctx, own.Bed, workload, testbed.Change{
			Deployment: func(d *appsv1.Deployment) {
				testbed.Stoppable(d)
				if i.adjust != nil {
					i.adjust(d)
				}
			},
			Config: func(data map[string]string) {
				if workload == "gateway" && i.config != "" {
					data["config.yaml"] = i.config
				}
			},
		})
	}
	return own
}

// startReady is start, and waits until every pod is ready and the host reaches the
// Gateway.
func (s *system) startReady(ctx context.Context, i instance) *system {
	GinkgoHelper()
	own := s.start(ctx, i)
	for _, workload := range i.workloads {
		own.AwaitReady(ctx, workload, 1)
	}
	own.awaitGateway(ctx)
	Eventually(func(ctx context.Context) (int, error) {
		a, err := own.Get(ctx, infrastructure.EndpointDataStorage, "/health/ready")
		return a.Status, err
	}, settleBudget, poll).WithContext(ctx).Should(Equal(http.StatusOK))
	return own
}

// bindGateway gives the Gateway of the namespace its rights.
func (s *system) bindGateway(ctx context.Context, namespace, role string) {
	GinkgoHelper()
	if role == "" {
		role = s.Env.Own(gatewayRole)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: s.Labels(nil)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "gateway"}},
	}
	Expect(s.Kube.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(s.Kube.Delete(ctx, binding)).To(Succeed()) })
}

// configure changes the configuration of an instance's Gateway while it runs.
func (s *system) configure(ctx context.Context, content string) {
	GinkgoHelper()
	config := &corev1.ConfigMap{}
	Expect(s.Kube.Get(ctx, client.ObjectKey{Namespace: s.Env.Namespace, Name: "gateway-config"}, config)).To(Succeed())
	config.Data["config.yaml"] = content
	Expect(s.Kube.Update(ctx, config)).To(Succeed())
	// The kubelet looks at mounted ConfigMaps about once a minute, and when a pod
	// changes.
	pods, err := s.Pods(ctx, "gateway")
	Expect(err).NotTo(HaveOccurred())
	for i := range pods {
		before := pods[i].DeepCopy()
		metav1.SetMetaDataAnnotation(&pods[i].ObjectMeta, "spec/configured", config.ResourceVersion)
		Expect(s.Kube.Patch(ctx, &pods[i], client.MergeFrom(before))).To(Succeed())
	}
}
