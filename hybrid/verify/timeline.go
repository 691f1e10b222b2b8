package verify

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/report"
)

// TimelineOrder is the rule about what a run recorded. It is the one that cannot be
// checked in a fresh clone.
const TimelineOrder = "timeline-order"

// timelineFile is what the latest run left.
const timelineFile = "_artifacts/latest/" + report.FileName

// addTimeline reads the record of the latest run, if there is one.
func (s *sources) addTimeline(root fs.FS) error {
	content, err := fs.ReadFile(root, timelineFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var t report.Timeline
	if err := json.Unmarshal(content, &t); err != nil {
		s.addBroken(timelineFile, 0, err)
		return nil
	}
	s.timeline = &t
	return nil
}

// checkTimeline wants the phases of the latest run to have come one after the other.
func checkTimeline(p *pass) {
	if err := p.src.timeline.CheckOrder(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			p.addf(timelineFile, 0, "%s", strings.TrimPrefix(line, "order: "))
		}
	}
}
