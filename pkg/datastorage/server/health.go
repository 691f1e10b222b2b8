package server

import (
	"net/http"

	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// health is the body of the health answers.
type health struct {
	Status string `json:"status"`
	Stores stores `json:"stores"`
}

type stores struct {
	PostgreSQL storeHealth `json:"postgresql"`
	Redis      storeHealth `json:"redis"`
}

type storeHealth struct {
	// State is up or down.
	State string `json:"state"`
	// Migrated says whether the schema has been complete since the start; only for
	// PostgreSQL.
	Migrated *bool `json:"migrated,omitempty"`
}

func (s *Server) stores() stores {
	database := s.Reader.State()
	return stores{
		PostgreSQL: storeHealth{State: word(database.Up), Migrated: &database.Migrated},
		Redis:      storeHealth{State: word(s.Reserve.Up())},
	}
}

func word(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// live says that the process runs; a store that is down is no reason to restart it.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, http.StatusOK, map[string]string{"status": "alive"})
}

// health is live with the state of the stores, for people.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, http.StatusOK, health{Status: "alive", Stores: s.stores()})
}

// ready says whether writes can be accepted: the schema has been migrated since the
// start, and PostgreSQL is up or the queue can take over.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	database := s.Reader.State()
	var reason string
	switch {
	case s.stopping.Load():
		reason = "The service is shutting down."
	case !database.Migrated:
		reason = "The schema of the database is not ready yet."
	case !database.Up && !s.Reserve.Up():
		reason = "Neither the database nor the queue can take events."
	default:
		s.answer(w, r, http.StatusOK, health{Status: "ready", Stores: s.stores()})
		return
	}
	problem.Write(w, r, problem.Problem{
		Type: problem.TypeServiceUnavailable, Detail: reason, RetryAfter: retryAfter,
		// status is a standard member of a problem, hence only the stores.
		Extensions: map[string]any{"stores": s.stores()},
	})
}
