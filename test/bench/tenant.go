package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// senderRole comes with the manifests of the Gateway.
	senderRole = "gateway-signal-source"
	senderName = "sender"
	// tokenLife is longer than any measurement.
	tokenLife = 4 * time.Hour
	// removalBudget is for some ten thousand requests and their namespace.
	removalBudget = 5 * time.Minute
)

// tenant is what a measurement makes in the cluster: a namespace for the requests,
// and in it the sender.
type tenant struct {
	namespace *corev1.Namespace
	binding   *rbacv1.ClusterRoleBinding
	token     string
}

// moveIn makes the tenant. It returns once the API server lets the sender post. What
// it made before an error is in the tenant too.
func (s *system) moveIn(ctx context.Context) (tenant, error) {
	t := tenant{namespace: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "gateway-bench-"}}}
	if err := s.kube.Create(ctx, t.namespace); err != nil {
		return t, fmt.Errorf("create the namespace of the measurement: %w", err)
	}
	name := t.namespace.Name
	t.binding = &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: senderRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: name, Name: senderName}},
	}
	if err := s.kube.Create(ctx, t.binding); err != nil {
		return t, fmt.Errorf("bind the sender to %s: %w", senderRole, err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: senderName}}
	if err := s.kube.Create(ctx, account); err != nil {
		return t, fmt.Errorf("create the sender: %w", err)
	}
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLife.Seconds()))},
	}
	if err := s.kube.SubResource("token").Create(ctx, account, request); err != nil {
		return t, fmt.Errorf("request a token for the sender: %w", err)
	}
	t.token = request.Status.Token
	return t, s.awaitPermission(ctx, "system:serviceaccount:"+name+":"+senderName)
}

// awaitPermission asks until the API server lets the user post: its own knowledge of
// a binding cannot be watched, and the Gateway remembers a refusal.
func (s *system) awaitPermission(ctx context.Context, user string) error {
	err := wait.PollUntilContextTimeout(ctx, poll, settleBudget, true, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: route, Verb: "post"},
		}}
		err := s.kube.Create(ctx, review)
		return err == nil && review.Status.Allowed, err
	})
	if err != nil {
		return fmt.Errorf("wait until %s may post signals: %w", user, err)
	}
	return nil
}

// moveOut removes the tenant and every request in its namespace, and returns when
// they have gone. It works on a context of its own: a measurement that was stopped
// leaves nothing behind either.
func (s *system) moveOut(ctx context.Context, t tenant) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalBudget)
	defer cancel()
	var errs []error
	if t.binding != nil && t.binding.UID != "" {
		errs = append(errs, client.IgnoreNotFound(s.kube.Delete(ctx, t.binding)))
	}
	if t.namespace.Name != "" {
		errs = append(errs, client.IgnoreNotFound(s.kube.Delete(ctx, t.namespace)), s.awaitRemoval(ctx, t.namespace.Name))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove what the measurement made: %w", err)
	}
	return nil
}

// awaitRemoval watches the namespace until it has gone.
func (s *system) awaitRemoval(ctx context.Context, name string) error {
	only := cache.NewListWatchFromClient(s.clientset.CoreV1().RESTClient(), "namespaces", "",
		fields.OneTermEqualSelector("metadata.name", name))
	gone := func(store cache.Store) (bool, error) { return len(store.List()) == 0, nil }
	_, err := watchtools.UntilWithSync(ctx, only, &corev1.Namespace{}, gone, func(event watch.Event) (bool, error) {
		return event.Type == watch.Deleted, nil
	})
	if err != nil {
		return fmt.Errorf("wait until namespace %s has gone: %w", name, err)
	}
	return nil
}
