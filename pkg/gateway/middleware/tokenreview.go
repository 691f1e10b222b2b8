package middleware

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Repeater repeats a call while its error may pass.
type Repeater interface {
	Do(ctx context.Context, call func(context.Context) error) error
}

// KubernetesAuthorizer asks the API server: TokenReview who the bearer is, then
// SubjectAccessReview whether that user may reach the path.
type KubernetesAuthorizer struct {
	// Client must write straight to the API server.
	Client client.Client
	// Retry repeats failed calls.
	Retry Repeater
}

// Authorize implements Authorizer.
func (k KubernetesAuthorizer) Authorize(ctx context.Context, token, verb, path string) (Decision, error) {
	var review *authenticationv1.TokenReview
	err := k.Retry.Do(ctx, func(ctx context.Context) error {
		review = &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
		return k.Client.Create(ctx, review)
	})
	if err != nil {
		return Unauthenticated, fmt.Errorf("review the token: %w", err)
	}
	if !review.Status.Authenticated {
		return Unauthenticated, nil
	}
	user := review.Status.User
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	var access *authorizationv1.SubjectAccessReview
	err = k.Retry.Do(ctx, func(ctx context.Context) error {
		access = &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, Groups: user.Groups, UID: user.UID, Extra: extra,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: verb},
		}}
		return k.Client.Create(ctx, access)
	})
	if err != nil {
		return Unauthenticated, fmt.Errorf("review the access of %s: %w", user.Username, err)
	}
	if !access.Status.Allowed || access.Status.Denied {
		return Forbidden, nil
	}
	return Allowed, nil
}
