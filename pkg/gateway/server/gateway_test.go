package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/middleware"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/processing"
)

// Namespaces in which the API server of newGateway cannot create requests.
const (
	namespaceMissing = "gone"
	namespaceAway    = "payments"
	namespaceRefused = "odd"
)

// clock is the time in which the examples happen.
func clock() time.Time { return time.Unix(1764057600, 0) }

// newGateway is the Gateway as Run assembles it, at a standing clock. In the place
// of the cluster are controller-runtime's fake, which checks versions on writes as
// the API server does, and senders.
func newGateway(t *testing.T, adjust func(*Server)) (*Server, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	logger := slog.New(slog.DiscardHandler)
	settings := config.Default()
	s := &Server{
		Config: settings,
		Recorder: processing.New(apiServer(t), nil, processing.Options{
			FallbackNamespace: settings.Processing.FallbackNamespace, Timeout: settings.Processing.Timeout.Std(),
		}, logger),
		Authorizer: senders{},
		Metrics:    metrics.New(registry),
		Health:     NewHealth(func() bool { return true }, func(context.Context) error { return nil }, logger),
		Logger:     logger,
		Now:        clock,
	}
	if adjust != nil {
		adjust(s)
	}
	return s, registry
}

func apiServer(t *testing.T) client.Client {
	t.Helper()
	scheme, _, err := kinds()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&v1alpha1.RemediationRequest{}).
		WithIndex(&v1alpha1.RemediationRequest{}, v1alpha1.SignalFingerprintField, fingerprintOf).
		WithInterceptorFuncs(interceptor.Funcs{Create: create}).Build()
}

func create(ctx context.Context, inner client.WithWatch, object client.Object, options ...client.CreateOption) error {
	switch object.GetNamespace() {
	case namespaceMissing:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, namespaceMissing)
	case namespaceAway:
		return apierrors.NewServiceUnavailable("etcd has no leader")
	case namespaceRefused:
		return invalid()
	}
	return inner.Create(ctx, object, options...)
}

// senders knows three tokens: that of a sender, that of a stranger, who may not
// send, and one about which nobody can be asked.
type senders struct{}

const (
	tokenSender   = "sender"
	tokenStranger = "stranger"
	tokenDoubtful = "doubtful"
)

func (senders) Authorize(_ context.Context, token, _, _ string) (middleware.Decision, error) {
	switch token {
	case tokenSender:
		return middleware.Allowed, nil
	case tokenStranger:
		return middleware.Forbidden, nil
	case tokenDoubtful:
		return middleware.Unauthenticated, errors.New("the API server is away")
	}
	return middleware.Unauthenticated, nil
}

// broken is a mistake in the program.
type broken struct{}

func (broken) Authorize(context.Context, string, string, string) (middleware.Decision, error) {
	panic("a mistake")
}
