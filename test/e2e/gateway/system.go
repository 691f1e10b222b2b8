package gateway

import (
	"encoding/json"
	"fmt"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// system is the running system under test, with everything that a spec needs to
// talk to it. It is empty until the suite has been set up, so specs may use it but
// containers must not.
type system struct {
	*testbed.Bed
	// token belongs to a sender that may post signals, stranger to one that the
	// cluster knows and that may not.
	token, stranger string
}

// handover is what the first parallel process tells all of them.
type handover struct {
	Environment hybrid.Environment `json:"environment"`
	Token       string             `json:"token"`
	Stranger    string             `json:"stranger"`
}

func decodeHandover(b []byte) (handover, error) {
	var h handover
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("read what the first process handed over: %w", err)
	}
	return h, nil
}

// connect fills s with clients for the cluster and endpoints of env.
func (s *system) connect(env hybrid.Environment) error {
	bed, err := testbed.Connect(env, v1alpha1.AddToScheme)
	s.Bed = bed
	return err
}
