package gateway

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
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// senderRole is the ClusterRole that lets its subjects post signals. It comes with
// the manifests of the Gateway.
const senderRole = "gateway-signal-source"

// senders are the identities with which the specs post signals.
type senders struct {
	namespace *corev1.Namespace
	binding   *rbacv1.ClusterRoleBinding
	// token may post signals, stranger may not.
	token, stranger string
}

// createSenders makes two service accounts in a namespace of their own and lets
// one of them post signals. It returns when the API server agrees: the Gateway
// remembers a refusal for seconds, so the first signal must not come too early.
func (s *system) createSenders(ctx context.Context) (senders, error) {
	made := senders{namespace: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "gateway-senders-", Labels: s.Labels(nil)}}}
	if err := s.Kube.Create(ctx, made.namespace); err != nil {
		return made, fmt.Errorf("create the namespace of the senders: %w", err)
	}
	name := made.namespace.Name
	made.binding = &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: s.Labels(nil)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: s.Env.Own(senderRole)},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: name, Name: "sender"}},
	}
	if err := s.Kube.Create(ctx, made.binding); err != nil {
		return made, fmt.Errorf("bind the sender to %s: %w", senderRole, err)
	}
	var err error
	if made.token, err = s.createAccount(ctx, name, "sender"); err != nil {
		return made, err
	}
	if made.stranger, err = s.createAccount(ctx, name, "stranger"); err != nil {
		return made, err
	}
	return made, s.awaitPermission(ctx, "system:serviceaccount:"+name+":sender")
}

// createAccount creates a service account and a token that outlives the suite.
func (s *system) createAccount(ctx context.Context, namespace, name string) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := s.Kube.Create(ctx, account); err != nil {
		return "", fmt.Errorf("create service account %s: %w", name, err)
	}
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64((2 * time.Hour).Seconds()))},
	}
	if err := s.Kube.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("request a token for %s: %w", name, err)
	}
	return request.Status.Token, nil
}

// awaitPermission waits until the API server lets user post signals on every route.
func (s *system) awaitPermission(ctx context.Context, user string) error {
	err := wait.PollUntilContextTimeout(ctx, poll, settleBudget, true, func(ctx context.Context) (bool, error) {
		for _, route := range []string{routePrometheus, routeAlertmanager, routeEvent} {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:                  user,
				NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: route, Verb: "post"},
			}}
			if err := s.Kube.Create(ctx, review); err != nil || !review.Status.Allowed {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("wait until %s may post signals by role %s: %w", user, senderRole, err)
	}
	return nil
}

// deleteSenders removes what createSenders made, also when it failed half-way.
func (s *system) deleteSenders(ctx context.Context, made senders) error {
	var errs []error
	if made.binding != nil {
		errs = append(errs, client.IgnoreNotFound(s.Kube.Delete(ctx, made.binding)))
	}
	if made.namespace != nil && made.namespace.Name != "" {
		errs = append(errs, client.IgnoreNotFound(s.Kube.Delete(ctx, made.namespace)))
	}
	return errors.Join(errs...)
}
