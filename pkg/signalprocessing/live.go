package signalprocessing

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/hybrid-e2e/hybrid/pkg/livefile"
)

// liveRules are the rules of a file that hold now. Make them with loadRules.
type liveRules struct {
	path    string
	now     atomic.Pointer[Rules]
	seen    []byte // what was read last; only watch changes it
	metrics *Metrics
	log     *slog.Logger
}

// loadRules reads the rules that hold at the start. Bad ones are an error.
func loadRules(path string, metrics *Metrics, log *slog.Logger) (*liveRules, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w; name their file with --rules", err)
	}
	rules, err := ParseRules(content)
	if err != nil {
		return nil, fmt.Errorf("the rules in %s are refused: %w; docs/signalprocessing.md shows good ones", path, err)
	}
	l := &liveRules{path: path, seen: content, metrics: metrics, log: log}
	l.now.Store(rules)
	metrics.rulesCurrent.Set(1)
	return l, nil
}

// watch takes over each change of the file until ctx ends. Bad rules change nothing.
func (l *liveRules) watch(ctx context.Context) error {
	err := livefile.Watch(ctx, l.path, func(content []byte, err error) {
		if err == nil && bytes.Equal(content, l.seen) {
			return
		}
		var rules *Rules
		if l.seen = content; err == nil {
			rules, err = ParseRules(content)
		}
		if err != nil {
			l.metrics.reloads.WithLabelValues(reloadRefused).Inc()
			l.metrics.rulesCurrent.Set(0)
			l.log.ErrorContext(ctx, "the changed rules are refused, those before still hold", "file", l.path, "error", err)
			return
		}
		l.now.Store(rules)
		l.metrics.reloads.WithLabelValues(reloadApplied).Inc()
		l.metrics.rulesCurrent.Set(1)
		l.log.InfoContext(ctx, "the changed rules hold", "file", l.path, "rules", len(rules.Priorities))
	})
	if err != nil {
		return fmt.Errorf("watch the rules: %w", err)
	}
	return nil
}
