package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
)

// kubernetesAPI answers the few calls of a Gateway that sees its first signal. The
// creation waits until it is released, so that a test can stop the Gateway then.
type kubernetesAPI struct {
	creating, release chan struct{}
	mu                sync.Mutex
	calls             []string
}

func (k *kubernetesAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	query := r.URL.Query()
	k.mu.Lock()
	k.calls = append(k.calls, r.Method+" "+r.URL.Path+" "+query.Get("fieldSelector"))
	k.mu.Unlock()
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/version":
		_, _ = io.WriteString(w, `{"major":"1","minor":"36"}`)
	case query.Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
	case query.Get("watch") != "":
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, `{"kind":"RemediationRequestList","apiVersion":"kubernaut.ai/v1alpha1","metadata":{"resourceVersion":"1"},"items":[]}`)
	case r.Method == http.MethodPost:
		var request v1alpha1.RemediationRequest
		_ = json.NewDecoder(r.Body).Decode(&request)
		request.ResourceVersion = "2"
		close(k.creating)
		<-k.release
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(request)
	case r.Method == http.MethodPatch:
		_, _ = io.WriteString(w, `{"kind":"RemediationRequest","apiVersion":"kubernaut.ai/v1alpha1","metadata":{"resourceVersion":"3"}}`)
	}
}

func localSettings(auditURL string) config.Config {
	settings := config.Default()
	settings.Server.Address, settings.Server.MetricsAddress = "127.0.0.1:0", "127.0.0.1:0"
	settings.Auth.Enabled = false
	settings.Audit.DataStorageURL = auditURL
	settings.Audit.FlushInterval = config.Duration(time.Hour) // Only the end sends.
	settings.Shutdown.Delay = config.Duration(time.Millisecond)
	return settings
}

// addresses reads where the Gateway listens from its log.
type addresses struct {
	once  sync.Once
	found chan [2]string
}

func (a *addresses) Write(line []byte) (int, error) {
	var entry struct {
		Address string `json:"address"`
		Metrics string `json:"metrics_address"`
	}
	if json.Unmarshal(line, &entry) == nil && entry.Metrics != "" {
		a.once.Do(func() { a.found <- [2]string{entry.Address, entry.Metrics} })
	}
	return len(line), nil
}

func TestAnEndInTheMiddleOfASignalLosesNothing(t *testing.T) {
	api := &kubernetesAPI{creating: make(chan struct{}), release: make(chan struct{})}
	kubernetes := httptest.NewServer(api)
	defer kubernetes.Close()
	audited := make(chan string, 10)
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		audited <- string(body)
		w.WriteHeader(http.StatusCreated)
	}))
	defer storage.Close()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	where, ended := &addresses{found: make(chan [2]string, 1)}, make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Config: localSettings(storage.URL), Rest: &rest.Config{Host: kubernetes.URL}, Logger: NewLogger(where, nil)})
	}()
	found := <-where.found
	awaitReady(t, found[0])
	if body := get(t, "http://"+found[1]+"/metrics"); !strings.Contains(body, "gateway_audit_buffer_events 0") || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics %s", body)
	}

	answered := make(chan int, 1)
	go func() {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+found[0]+PathPrometheus, strings.NewReader(webhook(alertOf("p"))))
		request.Header.Set("X-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		_ = response.Body.Close()
		answered <- response.StatusCode
	}()
	<-api.creating
	stop()
	close(api.release)
	if got := <-answered; got != http.StatusCreated {
		t.Errorf("answered %d", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	body := <-audited
	for _, kind := range []string{"gateway.signal.received", "gateway.crd.created"} {
		if strings.Count(body, `"event_type":"`+kind+`"`) != 1 {
			t.Errorf("audited %s", body)
		}
	}
	checkCalls(t, api)
}

func checkCalls(t *testing.T, api *kubernetesAPI) {
	t.Helper()
	api.mu.Lock()
	defer api.mu.Unlock()
	all := strings.Join(api.calls, "\n")
	for _, want := range []string{
		"GET /version ",
		"GET /apis/kubernaut.ai/v1alpha1/remediationrequests spec.signalFingerprint=",
		"POST /apis/kubernaut.ai/v1alpha1/namespaces/shop/remediationrequests ",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no call %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "PATCH") {
		t.Errorf("a new request needs one write:\n%s", all)
	}
}

func awaitReady(t *testing.T, address string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		response, err := fetch(t.Context(), "http://"+address+"/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-deadline:
			t.Fatal("never ready")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func fetch(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := fetch(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestRunReportsWhatItCannotUse(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	address := taken.Listener.Addr().String()
	for want, change := range map[string]func(*config.Config, *rest.Config){
		"listen for signals":         func(c *config.Config, _ *rest.Config) { c.Server.Address = address },
		"listen for metrics":         func(c *config.Config, _ *rest.Config) { c.Server.MetricsAddress = address },
		"make the Kubernetes client": func(_ *config.Config, r *rest.Config) { r.Host = "http://\x7f" },
		"netip.ParsePrefix":          func(c *config.Config, _ *rest.Config) { c.Server.TrustedProxies = []string{"x"} },
	} {
		settings, restConfig := localSettings("http://127.0.0.1:1"), &rest.Config{Host: "http://127.0.0.1:1"}
		settings.Audit.Enabled = false
		change(&settings, restConfig)
		err := Run(t.Context(), Options{Config: settings, Rest: restConfig, Logger: NewLogger(io.Discard, nil)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestACachedRequestKeepsOnlyWhatIsRead(t *testing.T) {
	request := &v1alpha1.RemediationRequest{Spec: v1alpha1.RemediationRequestSpec{
		SignalFingerprint: "f", OriginalPayload: "big", SignalLabels: map[string]string{"a": "b"},
	}}
	if _, err := slim(request); err != nil || request.Spec.OriginalPayload != "" || request.Spec.SignalLabels != nil {
		t.Errorf("%+v, %v", request, err)
	}
	if got := fingerprintOf(request); len(got) != 1 || got[0] != "f" {
		t.Errorf("index %v", got)
	}
	if got := fingerprintOf(client.Object(nil)); got != nil {
		t.Errorf("index of something else %v", got)
	}
}
