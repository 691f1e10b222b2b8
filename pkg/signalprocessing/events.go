package signalprocessing

import (
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/audit"
)

// The types of the audit events.
const (
	requestAccepted audit.EventType = "signalprocessing.request.accepted"
	requestEnriched audit.EventType = "signalprocessing.request.enriched"
)

// young is how long after its enrichment a request is recorded again when it is looked
// at, as after a restart: the process before may have been killed with events unsent.
const young = time.Hour

// events returns what is to be recorded of a request: both steps, once it is enriched.
// They follow from its status alone, ids included, so that recording them again stores
// nothing twice.
func events(request *v1alpha1.RemediationRequest, now time.Time) []audit.Event {
	e := request.Status.Enrichment
	if e == nil || e.AcceptedAt == nil || e.EnrichedAt == nil || now.Sub(e.EnrichedAt.Time) > young {
		return nil
	}
	return []audit.Event{
		event(requestAccepted, request, e.AcceptedAt, map[string]any{"phase": v1alpha1.PhasePending}),
		event(requestEnriched, request, e.EnrichedAt, map[string]any{
			"phase":       v1alpha1.PhaseProcessing,
			"environment": e.Environment, "environment_source": e.EnvironmentSource, "priority": e.Priority,
		}),
	}
}

func event(kind audit.EventType, request *v1alpha1.RemediationRequest, at *metav1.MicroTime, data map[string]any) audit.Event {
	made := audit.NewEvent(kind, audit.Success, audit.Subject{
		Request: request.Name, Namespace: request.Namespace, Severity: string(request.Spec.Severity),
	}, at.Time, data)
	made.EventID = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://kubernaut.ai/"+string(kind)+"/"+string(request.UID))).String()
	return made
}
