package trace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

const (
	// service is the service.name of the spans, unless OTEL_SERVICE_NAME is set.
	service = "hybrid"
	// exportTimeout bounds what a run waits for the collector.
	exportTimeout = 5 * time.Second
	// parentVariable has the W3C trace context of what started the run, as CI systems with
	// traces of their own hand it down.
	parentVariable = "TRACEPARENT"
)

// Wanted tells whether a collector is named, in one of the variables that OpenTelemetry
// has for that.
func Wanted(getenv func(string) string) bool {
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Export sends a run that has ended to the collector, by OTLP over HTTP. The variables of
// OpenTelemetry say where it is and what it wants; they are those of this process.
func Export(ctx context.Context, getenv func(string) string, t report.Timeline) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, exportTimeout, fmt.Errorf("the collector did not take it within %s", exportTimeout))
	defer cancel()
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
	if err != nil {
		return fmt.Errorf("export the trace: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return fmt.Errorf("export the trace: %w", errors.Join(err, exporter.Shutdown(ctx)))
	}
	collected := &collect{}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithSyncer(collected))
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": getenv(parentVariable)})
	record(ctx, provider.Tracer("github.com/hybrid-e2e/hybrid/hybrid"), t)
	err = errors.Join(provider.Shutdown(ctx), exporter.ExportSpans(ctx, collected.spans), exporter.Shutdown(ctx))
	if err != nil {
		return fmt.Errorf("export the trace: %w", err)
	}
	return nil
}

// collect keeps the spans, so that all go in one request whose failure is seen: the SDK's
// own way there tells failures to a global handler.
type collect struct{ spans []sdktrace.ReadOnlySpan }

func (c *collect) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	c.spans = append(c.spans, spans...)
	return nil
}

func (*collect) Shutdown(context.Context) error { return nil }

// record makes the spans of a run.
func record(ctx context.Context, tracer trace.Tracer, t report.Timeline) {
	at := func(seconds float64) time.Time { return t.Started.Add(time.Duration(seconds * float64(time.Second))) }
	ctx, run := tracer.Start(ctx, "run "+t.Suite, trace.WithTimestamp(t.Started), trace.WithAttributes(
		attribute.String("hybrid.run", t.Run), attribute.String("hybrid.suite", t.Suite), attribute.String("hybrid.result", string(t.Result)),
		attribute.String("hybrid.image_source", t.ImageSource), attribute.Bool("hybrid.rebuilt", t.Rebuilt > 0),
	))
	if t.Error != "" {
		run.SetStatus(codes.Error, t.Error)
	}
	for _, p := range t.Phases {
		phaseCtx, phase := tracer.Start(ctx, p.Name, trace.WithTimestamp(at(p.Start)))
		for _, x := range p.Tasks {
			_, span := tracer.Start(phaseCtx, x.Name, trace.WithTimestamp(at(x.Start)), trace.WithAttributes(
				attribute.String("hybrid.phase", p.Name), attribute.String("hybrid.outcome", string(x.Outcome)), attribute.String("hybrid.detail", x.Detail),
			))
			if x.Outcome == task.Failed {
				span.SetStatus(codes.Error, x.Detail)
				phase.SetStatus(codes.Error, x.Name+" failed")
			}
			span.End(trace.WithTimestamp(at(x.End)))
		}
		phase.End(trace.WithTimestamp(at(p.End)))
	}
	run.End(trace.WithTimestamp(at(t.TotalSeconds)))
}
