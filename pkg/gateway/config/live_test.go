package config

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestKeysThatTakeEffectWithoutARestart(t *testing.T) {
	var live []string
	names := map[string]bool{}
	for _, key := range Keys() {
		if names[key.Name] {
			t.Errorf("%s stands twice", key.Name)
		}
		names[key.Name] = true
		if key.Live {
			live = append(live, key.Name)
		}
	}
	want := []string{
		"server.max_in_flight", "server.max_body_bytes", "server.trusted_proxies", "server.cors_origins",
		"replay.max_age", "replay.max_ahead", "processing.timeout", "processing.batch_parallelism",
		"shutdown.delay", "shutdown.drain_timeout", "shutdown.audit_timeout", "log.level",
	}
	if !slices.Equal(live, want) {
		t.Errorf("live keys %q, want %q", live, want)
	}
	if len(names) != 33 || !names["kubernetes.retry.initial_delay"] {
		t.Errorf("%d keys: %v", len(names), names)
	}
}

func TestAdoptTakesTheLiveKeysAlone(t *testing.T) {
	before, next := Default(), Default()
	next.Server.Address = "127.0.0.1:1"
	next.Server.CORSOrigins = []string{"https://a.example"}
	next.Audit.BatchSize = 7
	next.Replay.MaxAge = Duration(time.Minute)

	adopted, applied, waiting := before.Adopt(next)
	want := Default()
	want.Server.CORSOrigins, want.Replay.MaxAge = next.Server.CORSOrigins, next.Replay.MaxAge
	if !reflect.DeepEqual(adopted, want) {
		t.Errorf("adopted %+v", adopted)
	}
	if !reflect.DeepEqual(before, Default()) {
		t.Errorf("the configuration before was changed: %+v", before)
	}
	if !slices.Equal(applied, []string{"server.cors_origins", "replay.max_age"}) || !slices.Equal(waiting, []string{"server.address", "audit.batch_size"}) {
		t.Errorf("applied %q, waiting %q", applied, waiting)
	}
}
