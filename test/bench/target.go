package bench

import (
	"fmt"
	"time"
)

// target is what a load has to reach on two processors that also run the cluster and
// the load generator. No load may have an error, or lose an audit event.
type target struct {
	perSecond float64
	p99       time.Duration
}

// String is the target for the table.
func (t target) String() string {
	if t == (target{}) {
		return "no error"
	}
	return fmt.Sprintf("%.0f/s, p99 < %s", t.perSecond, t.p99)
}

func targetOf(load string) target {
	switch load {
	case LoadNew:
		return target{perSecond: 100, p99: 200 * time.Millisecond}
	case LoadDuplicates, LoadRefusals:
		return target{perSecond: 500, p99: 50 * time.Millisecond}
	default:
		return target{}
	}
}

// judge says in what r falls short of the target.
func (t target) judge(r Result) []string {
	missed := []string{}
	add := func(format string, args ...any) { missed = append(missed, fmt.Sprintf(format, args...)) }
	if r.Requests == 0 {
		add("nothing was sent")
	}
	if r.Errors > 0 {
		add("%d of %d requests were not answered as they should, wanted none", r.Errors, r.Requests)
	}
	if t.perSecond > 0 && r.Achieved < t.perSecond {
		add("%.1f per second, wanted at least %.0f", r.Achieved, t.perSecond)
	}
	if t.p99 > 0 && r.P99 >= millis(t.p99) {
		add("p99 is %.1f ms, wanted below %s", r.P99, t.p99)
	}
	if r.Audit.Stored != r.Audit.Promised {
		add("%d audit events are stored, wanted exactly %d", r.Audit.Stored, r.Audit.Promised)
	}
	if r.Objects.Counted != r.Objects.Accepted {
		add("the requests in the cluster stand for %d signals, accepted were %d", r.Objects.Counted, r.Objects.Accepted)
	}
	return missed
}
