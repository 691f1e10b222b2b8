package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

func (s *system) permissions() {
	Describe("Permissions", long, Label("security", "rbac"), func() {
		It("are the least that works: without any one of them the Gateway fails", SpecTimeout(serialBudget), func(ctx SpecContext) {
			role := &rbacv1.ClusterRole{}
			Expect(s.Kube.Get(ctx, client.ObjectKey{Name: s.Env.Own(gatewayRole)}, role)).To(Succeed())
			all := singlePermissions(role.Rules)
			Expect(len(all)).To(BeNumerically("<=", infrastructure.SparePorts-spareOfPermissions), "a spare port for each permission")

			lacking := make([]*lackingGateway, len(all))
			for i := range all {
				lacking[i] = s.startLacking(ctx, all, i)
			}
			for _, l := range lacking {
				Eventually(l.running, rolloutBudget, poll).WithContext(ctx).Should(Succeed(), "without "+l.permission)
			}
			Consistently(func(ctx context.Context) []string {
				var working []string
				for _, l := range lacking {
					if l.works(ctx) == nil {
						working = append(working, l.permission)
					}
				}
				return working
			}, quiet, 2*poll).WithContext(ctx).Should(BeEmpty(), "Gateways that work without a permission")
			for _, l := range lacking {
				l.complete(ctx, all)
			}
			for _, l := range lacking {
				Eventually(l.works, rolloutBudget, poll).WithContext(ctx).Should(Succeed(), "with "+l.permission+" again")
			}
		})
	})
}

// singlePermissions takes rules apart into rules of one verb on one resource.
func singlePermissions(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	var single []rbacv1.PolicyRule
	for _, rule := range rules {
		for _, verb := range rule.Verbs {
			for _, resource := range rule.Resources {
				single = append(single, rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: rule.APIGroups, Resources: []string{resource}})
			}
			for _, url := range rule.NonResourceURLs {
				single = append(single, rbacv1.PolicyRule{Verbs: []string{verb}, NonResourceURLs: []string{url}})
			}
		}
	}
	return single
}

// lackingGateway is a Gateway without one of its permissions.
type lackingGateway struct {
	*system
	role       *rbacv1.ClusterRole
	permission string
	// targets is a namespace of its own, missing one that there is not.
	targets, missing string
	sent             atomic.Int64
	// since is from when on the log must be free of complaints; zero means from each look
	// at it.
	since time.Time
}

func (s *system) startLacking(ctx context.Context, all []rbacv1.PolicyRule, without int) *lackingGateway {
	GinkgoHelper()
	rest := append(append([]rbacv1.PolicyRule{}, all[:without]...), all[without+1:]...)
	l := &lackingGateway{
		role:       &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "gateway-lacking-", Labels: s.Labels(nil)}, Rules: rest},
		permission: fmt.Sprintf("%s %v%v", all[without].Verbs[0], all[without].Resources, all[without].NonResourceURLs),
		targets:    s.namespace(ctx),
		missing:    missingNamespace(),
		since:      time.Now(),
	}
	Expect(s.Kube.Create(ctx, l.role)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(s.Kube.Delete(ctx, l.role)).To(Succeed()) })
	DeferCleanup(func(ctx context.Context) {
		Expect(s.Kube.DeleteAllOf(ctx, &v1alpha1.RemediationRequest{}, client.InNamespace(s.Env.Namespace),
			client.MatchingLabels{v1alpha1.LabelOriginNamespace: l.missing})).To(Succeed())
	})
	l.system = s.start(ctx, instance{
		workloads: []string{"gateway"}, spare: spareOfPermissions + without, role: l.role.Name,
	})
	return l
}

// complete gives the Gateway what it lacked.
func (l *lackingGateway) complete(ctx context.Context, all []rbacv1.PolicyRule) {
	GinkgoHelper()
	l.role.Rules = all
	Expect(l.Kube.Update(ctx, l.role)).To(Succeed())
	// When the API server heeds that is not known: complaints may go on for a moment.
	l.since = time.Time{}
}

// running is an error until the Gateway answers at all.
func (l *lackingGateway) running(ctx context.Context) error {
	a, err := l.Get(ctx, infrastructure.EndpointGateway, "/healthz")
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("alive with %d", a.Status)
	}
	return err
}

// works is an error unless the Gateway is ready, opens a request for a new problem
// and counts a second alert in it, opens one in the fallback namespace, before which it
// looks for itself, and logs no complaint about its rights: without the right to watch it
// would do its work with a cache that is never up to date. Each call sends problems of
// its own.
func (l *lackingGateway) works(ctx context.Context) error {
	since := l.since
	if since.IsZero() {
		since = time.Now()
	}
	a, err := l.Get(ctx, infrastructure.EndpointGateway, "/readyz")
	if err != nil || a.Status != http.StatusOK {
		return fmt.Errorf("ready with %d: %w", a.Status, err)
	}
	pod := fmt.Sprintf("api-%d", l.sent.Add(1))
	for _, expected := range []struct {
		namespace string
		status    int
	}{{l.targets, http.StatusCreated}, {l.targets, http.StatusAccepted}, {l.missing, http.StatusCreated}} {
		a, err := l.post(ctx, call{body: webhook(podAlert(expected.namespace, pod))})
		if err != nil || a.Status != expected.status {
			return fmt.Errorf("want %d, answered %d %s: %w", expected.status, a.Status, a.Body, err)
		}
	}
	log, err := l.gatewayLog(ctx, since)
	if err == nil && bytes.Contains(log, []byte("is forbidden")) {
		err = errors.New("the log complains about a missing right")
	}
	return err
}
