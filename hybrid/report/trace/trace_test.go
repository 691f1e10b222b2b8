package trace

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

func timeline() report.Timeline {
	return report.Timeline{
		Run: "r", Suite: "shop", Result: report.Errored, Error: "build: image.b: no", Started: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), TotalSeconds: 3,
		Phases: []report.Phase{{Name: "build", Start: 0.5, End: 2.5, Tasks: []report.Task{
			{Name: "image.a", Start: 0.5, End: 1, Outcome: task.Cached, Detail: "key 1"}, {Name: "image.b", Start: 0.5, End: 2.5, Outcome: task.Failed, Detail: "no"},
		}}},
	}
}

// listen is a collector that hands over what it is sent.
func listen(t *testing.T) <-chan *collector.ExportTraceServiceRequest {
	t.Helper()
	requests := make(chan *collector.ExportTraceServiceRequest, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unzipped
		}
		content, err := io.ReadAll(body)
		request := &collector.ExportTraceServiceRequest{}
		if err == nil {
			err = proto.Unmarshal(content, request)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		requests <- request
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	return requests
}

func TestARunIsATrace(t *testing.T) {
	requests := listen(t)
	const traceID, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	t.Setenv(parentVariable, "00-"+traceID+"-"+parent+"-01")
	if !Wanted(os.Getenv) || Wanted(func(string) string { return "" }) {
		t.Error("whether a trace is wanted is not seen")
	}
	if err := Export(t.Context(), os.Getenv, timeline()); err != nil {
		t.Fatal(err)
	}
	request := <-requests
	if len(request.GetResourceSpans()) != 1 || len(request.GetResourceSpans()[0].GetScopeSpans()) != 1 {
		t.Fatalf("request %v", request)
	}
	about := fmt.Sprint(request.GetResourceSpans()[0].GetResource().GetAttributes())
	if !strings.Contains(about, `key:"service.name"`) || !strings.Contains(about, `"hybrid"`) {
		t.Errorf("resource %s", about)
	}
	spans := request.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()
	names := map[string]string{parent: "parent"}
	for _, s := range spans {
		names[hex.EncodeToString(s.GetSpanId())] = s.GetName()
	}
	started := uint64(timeline().Started.UnixNano())
	var got []string
	for _, s := range spans {
		if hex.EncodeToString(s.GetTraceId()) != traceID {
			t.Errorf("%s is of another trace", s.GetName())
		}
		got = append(got, fmt.Sprintf("%s < %s, %d to %d ms, %s %q", s.GetName(), names[hex.EncodeToString(s.GetParentSpanId())],
			(s.GetStartTimeUnixNano()-started)/1e6, (s.GetEndTimeUnixNano()-started)/1e6, s.GetStatus().GetCode(), s.GetStatus().GetMessage()))
	}
	slices.Sort(got)
	want := []string{
		`build < run shop, 500 to 2500 ms, STATUS_CODE_ERROR "image.b failed"`,
		`image.a < build, 500 to 1000 ms, STATUS_CODE_UNSET ""`,
		`image.b < build, 500 to 2500 ms, STATUS_CODE_ERROR "no"`,
		`run shop < parent, 0 to 3000 ms, STATUS_CODE_ERROR "build: image.b: no"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestACollectorThatIsNotThere(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	if err := Export(t.Context(), os.Getenv, timeline()); err == nil || !strings.HasPrefix(err.Error(), "export the trace: ") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}
