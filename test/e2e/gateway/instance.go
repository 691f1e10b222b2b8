package gateway

import (
	"context"
	"maps"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
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
const deployedConfig = "processing:\n  fallback_namespace: kubernaut-system\n"

// quickStop is for the configuration of a Gateway that is stopped on purpose: it
// ends without the pause that is for load balancers.
const quickStop = "\nshutdown:\n  delay: 0s\n"

// instance is what a spec starts for itself because it is going to disturb it:
// copies of deployed workloads, in a namespace of their own.
type instance struct {
	// workloads are copied; the Gateway must be one. Without DataStorage among
	// them the Gateway sends its audit events to the one that all share.
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
	own := *s
	own.env.Namespace = s.namespace(ctx)
	own.env.Endpoints = maps.Clone(s.env.Endpoints)
	own.env.Endpoints[infrastructure.EndpointGateway] = s.env.Endpoints[infrastructure.Spare(i.spare).Name]
	// A Gateway with a role of its own may never become ready, which is to be seen.
	s.openSpare(ctx, own.env.Namespace, "gateway", i.spare, i.role != "")
	s.bindGateway(ctx, own.env.Namespace, i.role)
	shared := true
	for _, workload := range i.workloads {
		if workload == "datastorage" {
			shared = false
			own.env.Endpoints[infrastructure.EndpointDataStorage] = s.env.Endpoints[infrastructure.Spare(i.spareStorage).Name]
			s.openSpare(ctx, own.env.Namespace, workload, i.spareStorage, false)
		}
	}
	for _, workload := range i.workloads {
		s.copyWorkload(ctx, own.env.Namespace, workload, func(d *appsv1.Deployment) {
			if workload == "gateway" && shared {
				container := &d.Spec.Template.Spec.Containers[0]
				container.Env = append(container.Env, corev1.EnvVar{
					Name: "GATEWAY_DATASTORAGE_URL", Value: "http://datastorage." + s.env.Namespace + ":8080",
				})
			}
			if i.adjust != nil {
				i.adjust(d)
			}
		}, i.config)
	}
	return &own
}

// startReady is start, and waits until every pod is ready and the host reaches the
// Gateway.
func (s *system) startReady(ctx context.Context, i instance) *system {
	GinkgoHelper()
	own := s.start(ctx, i)
	for _, workload := range i.workloads {
		Eventually(own.readyPods, rolloutBudget, poll).WithContext(ctx).WithArguments(workload).
			Should(HaveLen(1), "ready pods of "+workload)
	}
	own.awaitGateway(ctx)
	Eventually(func(ctx context.Context) (int, error) {
		a, err := own.get(ctx, infrastructure.EndpointDataStorage, "/health/ready")
		return a.status, err
	}, settleBudget, poll).WithContext(ctx).Should(Equal(http.StatusOK))
	return own
}

// openSpare lets the host reach the pods of a workload of the namespace: those that
// are ready, or all.
func (s *system) openSpare(ctx context.Context, namespace, workload string, spare int, unready bool) {
	GinkgoHelper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: workload + "-spare"},
		Spec: corev1.ServiceSpec{
			Type:                     corev1.ServiceTypeNodePort,
			Selector:                 map[string]string{"app.kubernetes.io/name": workload},
			Ports:                    []corev1.ServicePort{{Name: "http", Port: 8080, NodePort: infrastructure.Spare(spare).NodePort}},
			PublishNotReadyAddresses: unready,
		},
	}
	Expect(s.kube.Create(ctx, service)).To(Succeed())
	// The port is free for another run of the spec at once, not when the namespace
	// has gone at last.
	DeferCleanup(func(ctx context.Context) { Expect(s.kube.Delete(ctx, service)).To(Succeed()) })
}

// bindGateway gives the Gateway of the namespace its rights.
func (s *system) bindGateway(ctx context.Context, namespace, role string) {
	GinkgoHelper()
	if role == "" {
		role = gatewayRole
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "gateway"}},
	}
	Expect(s.kube.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(s.kube.Delete(ctx, binding)).To(Succeed()) })
}

// configure changes the configuration of an instance's Gateway while it runs.
func (s *system) configure(ctx context.Context, content string) {
	GinkgoHelper()
	config := &corev1.ConfigMap{}
	Expect(s.kube.Get(ctx, client.ObjectKey{Namespace: s.env.Namespace, Name: "gateway-config"}, config)).To(Succeed())
	config.Data["config.yaml"] = content
	Expect(s.kube.Update(ctx, config)).To(Succeed())
	// The kubelet looks at mounted ConfigMaps about once a minute, and when a pod
	// changes.
	pods, err := s.pods(ctx, "gateway")
	Expect(err).NotTo(HaveOccurred())
	for i := range pods {
		before := pods[i].DeepCopy()
		metav1.SetMetaDataAnnotation(&pods[i].ObjectMeta, "spec/configured", config.ResourceVersion)
		Expect(s.kube.Patch(ctx, &pods[i], client.MergeFrom(before))).To(Succeed())
	}
}

// copyWorkload creates a deployed workload in another namespace, with all that its
// pods mount and the Service under which others find it.
func (s *system) copyWorkload(ctx context.Context, namespace, name string, adjust func(*appsv1.Deployment), config string) {
	GinkgoHelper()
	key := client.ObjectKey{Namespace: s.env.Namespace, Name: name}
	deployed, service := &appsv1.Deployment{}, &corev1.Service{}
	Expect(s.kube.Get(ctx, key, deployed)).To(Succeed())
	Expect(s.kube.Get(ctx, key, service)).To(Succeed())
	for _, volume := range deployed.Spec.Template.Spec.Volumes {
		switch {
		case volume.ConfigMap != nil:
			original := &corev1.ConfigMap{}
			Expect(s.kube.Get(ctx, client.ObjectKey{Namespace: s.env.Namespace, Name: volume.ConfigMap.Name}, original)).To(Succeed())
			data := maps.Clone(original.Data)
			if name == "gateway" && config != "" {
				data["config.yaml"] = config
			}
			Expect(s.kube.Create(ctx, &corev1.ConfigMap{ObjectMeta: moved(original, namespace), Data: data})).To(Succeed())
		case volume.Secret != nil:
			original := &corev1.Secret{}
			Expect(s.kube.Get(ctx, client.ObjectKey{Namespace: s.env.Namespace, Name: volume.Secret.SecretName}, original)).To(Succeed())
			err := s.kube.Create(ctx, &corev1.Secret{ObjectMeta: moved(original, namespace), Data: original.Data})
			// A store and its client mount the same one.
			Expect(client.IgnoreAlreadyExists(err)).To(Succeed())
		}
	}
	if account := deployed.Spec.Template.Spec.ServiceAccountName; account != "" && account != "default" {
		Expect(s.kube.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}})).To(Succeed())
	}
	ports := make([]corev1.ServicePort, len(service.Spec.Ports))
	for i, p := range service.Spec.Ports {
		ports[i] = corev1.ServicePort{Name: p.Name, Port: p.Port, TargetPort: p.TargetPort, Protocol: p.Protocol}
	}
	Expect(s.kube.Create(ctx, &corev1.Service{
		ObjectMeta: moved(service, namespace), Spec: corev1.ServiceSpec{Selector: service.Spec.Selector, Ports: ports},
	})).To(Succeed())
	duplicate := &appsv1.Deployment{ObjectMeta: moved(deployed, namespace), Spec: *deployed.Spec.DeepCopy()}
	adjust(duplicate)
	Expect(s.kube.Create(ctx, duplicate)).To(Succeed())
	// Its pods stop at once; the namespace stays until the end of the suite.
	DeferCleanup(func(ctx context.Context) { Expect(s.kube.Delete(ctx, duplicate)).To(Succeed()) })
}

// moved is the metadata of a copy.
func moved(original client.Object, namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: original.GetName(), Labels: original.GetLabels()}
}
