package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

type decider struct {
	mu       sync.Mutex
	decision Decision
	err      error
	asked    []string
}

func (d *decider) Authorize(_ context.Context, token, verb, path string) (Decision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, token+" "+verb+" "+path)
	return d.decision, d.err
}

func TestAuthAnswers(t *testing.T) {
	const ask = "secret post /signals"
	for name, test := range map[string]struct {
		headers  []string
		decision Decision
		err      error
		code     int
		kind     string
		asked    []string
		reasons  []metrics.Reason
	}{
		"allowed":       {[]string{"Bearer secret"}, Allowed, nil, 418, "", []string{ask}, nil},
		"lower case":    {[]string{"bearer  secret "}, Allowed, nil, 418, "", []string{ask}, nil},
		"no permission": {[]string{"Bearer secret"}, Forbidden, nil, 403, problem.TypeForbidden, []string{ask}, []metrics.Reason{metrics.ReasonAuthorization}},
		"bad token":     {[]string{"Bearer secret"}, Unauthenticated, nil, 401, problem.TypeUnauthorized, []string{ask}, []metrics.Reason{metrics.ReasonAuthentication}},
		"no token":      {nil, Allowed, nil, 401, problem.TypeUnauthorized, nil, []metrics.Reason{metrics.ReasonAuthentication}},
		"empty token":   {[]string{"Bearer "}, Allowed, nil, 401, problem.TypeUnauthorized, nil, []metrics.Reason{metrics.ReasonAuthentication}},
		"other scheme":  {[]string{"Basic secret"}, Allowed, nil, 401, problem.TypeUnauthorized, nil, []metrics.Reason{metrics.ReasonAuthentication}},
		"two headers":   {[]string{"Bearer a", "Bearer b"}, Allowed, nil, 401, problem.TypeUnauthorized, nil, []metrics.Reason{metrics.ReasonAuthentication}},
		"nobody to ask": {[]string{"Bearer secret"}, Allowed, errors.New("down"), 503, problem.TypeServiceUnavailable, []string{ask}, nil},
	} {
		inner, seen := &decider{decision: test.decision, err: test.err}, &rejections{}
		request := post("")
		request.Header["Authorization"] = test.headers
		got := answer(Auth(inner, seen, quiet())(passes()), request)
		if got.Code != test.code || !slices.Equal(inner.asked, test.asked) || !slices.Equal(seen.reasons, test.reasons) {
			t.Errorf("%s: %d, asked %q, rejected %v", name, got.Code, inner.asked, seen.reasons)
		}
		if test.kind != "" && kindOf(t, got) != test.kind {
			t.Errorf("%s: %s", name, got.Body)
		}
		if (got.Header().Get("WWW-Authenticate") == "Bearer") != (test.code == http.StatusUnauthorized) {
			t.Errorf("%s: WWW-Authenticate %q", name, got.Header().Get("WWW-Authenticate"))
		}
	}
}

type once struct{}

func (once) Do(ctx context.Context, call func(context.Context) error) error { return call(ctx) }

func TestKubernetesAuthorizerAsksTheAPIServer(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := errors.Join(authenticationv1.AddToScheme(scheme), authorizationv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	down := errors.New("down")
	for name, test := range map[string]struct {
		tokenErr, accessErr error
		authenticated       bool
		allowed, denied     bool
		want                Decision
		wantErr             error
	}{
		"allowed":          {authenticated: true, allowed: true, want: Allowed},
		"not allowed":      {authenticated: true, want: Forbidden},
		"denied":           {authenticated: true, allowed: true, denied: true, want: Forbidden},
		"unknown token":    {want: Unauthenticated},
		"no token review":  {tokenErr: down, want: Unauthenticated, wantErr: down},
		"no access review": {authenticated: true, accessErr: down, want: Unauthenticated, wantErr: down},
	} {
		server := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
			Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
				switch review := object.(type) {
				case *authenticationv1.TokenReview:
					if review.Spec.Token != "secret" {
						t.Errorf("%s: token %q", name, review.Spec.Token)
					}
					review.Status.Authenticated = test.authenticated
					review.Status.User = authenticationv1.UserInfo{
						Username: "alerts", UID: "7", Groups: []string{"g"}, Extra: map[string]authenticationv1.ExtraValue{"k": {"v"}},
					}
					return test.tokenErr
				case *authorizationv1.SubjectAccessReview:
					spec := review.Spec
					if spec.User != "alerts" || spec.UID != "7" || spec.Groups[0] != "g" || spec.Extra["k"][0] != "v" ||
						*spec.NonResourceAttributes != (authorizationv1.NonResourceAttributes{Path: "/p", Verb: "post"}) {
						t.Errorf("%s: asked %+v", name, spec)
					}
					review.Status.Allowed, review.Status.Denied = test.allowed, test.denied
					return test.accessErr
				}
				return fmt.Errorf("unexpected %T", object)
			},
		}).Build()
		got, err := KubernetesAuthorizer{Client: server, Retry: once{}}.Authorize(t.Context(), "secret", "post", "/p")
		if got != test.want || !errors.Is(err, test.wantErr) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestCacheRemembersForItsTime(t *testing.T) {
	now := time.Unix(0, 0)
	inner := &decider{decision: Allowed}
	cached := NewCachedAuthorizer(inner, 10*time.Second, time.Second, func() time.Time { return now })
	ask := func(token, path string) Decision {
		t.Helper()
		decision, err := cached.Authorize(t.Context(), token, "post", path)
		if err != nil {
			t.Fatal(err)
		}
		return decision
	}
	ask("a", "/x")
	now = now.Add(9 * time.Second)
	ask("a", "/x")
	if len(inner.asked) != 1 {
		t.Errorf("asked %q", inner.asked)
	}
	ask("a", "/y") // Another path is another question.
	ask("b", "/x")
	now = now.Add(time.Second)
	inner.decision = Forbidden
	if ask("a", "/x") != Forbidden || len(inner.asked) != 4 {
		t.Errorf("asked %q", inner.asked)
	}
	// A refusal is soon forgotten.
	inner.decision = Allowed
	if ask("a", "/x") != Forbidden {
		t.Error("a refusal is not remembered at all")
	}
	now = now.Add(time.Second)
	if ask("a", "/x") != Allowed {
		t.Error("a refusal is remembered too long")
	}
}

func TestCacheDoesNotRememberErrors(t *testing.T) {
	inner := &decider{decision: Allowed, err: errors.New("down")}
	cached := NewCachedAuthorizer(inner, time.Minute, time.Second, time.Now)
	if decision, err := cached.Authorize(t.Context(), "a", "post", "/"); err == nil || decision != Unauthenticated {
		t.Errorf("got %v, %v", decision, err)
	}
	inner.err = nil
	if decision, err := cached.Authorize(t.Context(), "a", "post", "/"); err != nil || decision != Allowed {
		t.Errorf("got %v, %v", decision, err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	cached := NewCachedAuthorizer(&decider{decision: Allowed}, time.Minute, time.Second, func() time.Time { return now })
	for i := range 2*maxDecisions + 1 {
		if _, err := cached.Authorize(t.Context(), fmt.Sprint(i), "post", "/"); err != nil {
			t.Fatal(err)
		}
		if len(cached.decisions) > maxDecisions {
			t.Fatalf("%d decisions", len(cached.decisions))
		}
	}
	now = now.Add(time.Hour)
	cached.shrink(now)
	if len(cached.decisions) != 0 {
		t.Errorf("%d expired decisions are kept", len(cached.decisions))
	}
}
