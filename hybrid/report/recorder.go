package report

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// Recorder is a task.Observer that makes the timeline of a run. It is safe for
// concurrent use.
type Recorder struct {
	started time.Time
	clock   func() time.Time

	mu       sync.Mutex
	head     Timeline
	phases   []*phaseRecord
	finished bool
}

var _ task.Observer = (*Recorder)(nil)

type phaseRecord struct {
	name       string
	start, end time.Time
	// open counts starts without an end: a phase may be entered again.
	open  int
	tasks []*taskRecord
}

type taskRecord struct {
	name, detail string
	start, end   time.Time
	// outcome is empty while the task runs.
	outcome task.Outcome
}

// NewRecorder makes the recorder of one run. All times count from started.
func NewRecorder(run, suite string, started time.Time) *Recorder {
	return &Recorder{
		started: started,
		clock:   time.Now,
		head:    Timeline{Run: run, Suite: suite, Started: started.UTC()},
	}
}

// SetImageSource says where base images came from.
func (r *Recorder) SetImageSource(source string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head.ImageSource = source
}

// SetStandIns names the images for which a local stand-in served.
func (r *Recorder) SetStandIns(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head.StandIns = slices.Clone(names)
}

// SetRebuilt says that the cluster is made anew from now on, and why.
func (r *Recorder) SetRebuilt(at time.Time, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head.Rebuilt, r.head.RebuiltBecause = seconds(at.Sub(r.started)), cause(why)
}

// Rebuilt tells whether the cluster was made anew.
func (r *Recorder) Rebuilt() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head.Rebuilt > 0
}

// PhaseStarted implements task.Observer.
func (r *Recorder) PhaseStarted(phase string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase(phase, at).open++
}

// PhaseEnded implements task.Observer.
func (r *Recorder) PhaseEnded(phase string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.phase(phase, at)
	if p.open > 0 {
		p.open--
	}
	if at.After(p.end) {
		p.end = at
	}
}

// TaskStarted implements task.Observer.
func (r *Recorder) TaskStarted(e task.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.phase(e.Phase, e.Time)
	p.tasks = append(p.tasks, &taskRecord{name: e.Task, start: e.Time})
}

// TaskOutput implements task.Observer; output is kept in log files only.
func (*Recorder) TaskOutput(string, string, string) {}

// TaskEnded implements task.Observer.
func (r *Recorder) TaskEnded(e task.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.phase(e.Phase, e.Time.Add(-e.Elapsed)).running(e.Task)
	if t.start.IsZero() {
		t.start = e.Time.Add(-e.Elapsed)
	}
	t.end, t.outcome, t.detail = e.Time, e.Outcome, oneLine(e.Detail)
	if t.detail == "" && e.Err != nil {
		t.detail = cause(e.Err)
	}
}

// phase finds the record of a phase, or makes one that starts at the time.
func (r *Recorder) phase(name string, at time.Time) *phaseRecord {
	for _, p := range r.phases {
		if p.name == name {
			return p
		}
	}
	p := &phaseRecord{name: name, start: at}
	r.phases = append(r.phases, p)
	return p
}

// running finds the unfinished task of that name, or makes one whose start is
// not known.
func (p *phaseRecord) running(name string) *taskRecord {
	for _, t := range slices.Backward(p.tasks) {
		if t.name == name && t.outcome == "" {
			return t
		}
	}
	t := &taskRecord{name: name}
	p.tasks = append(p.tasks, t)
	return t
}

// Snapshot is the timeline as far as it has come. Whatever still runs ends at
// the moment of the call and, for tasks, has an empty outcome.
func (r *Recorder) Snapshot() Timeline {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished {
		return r.timeline(r.started.Add(time.Duration(r.head.TotalSeconds * float64(time.Second))))
	}
	return r.timeline(r.clock())
}

// Finish ends the run with its result and its failure, nil when there was none,
// and gives the whole timeline. Tasks that never told of their end were stopped
// with the run and count as canceled. Only the first call decides.
func (r *Recorder) Finish(result Result, failure error) Timeline {
	r.mu.Lock()
	if !r.finished {
		now := r.clock()
		r.finished = true
		r.head.Result = result
		r.head.TotalSeconds = seconds(now.Sub(r.started))
		if failure != nil {
			r.head.Error = failure.Error()
		}
		for _, p := range r.phases {
			if p.end.IsZero() || p.open > 0 {
				p.end, p.open = now, 0
			}
			for _, t := range p.tasks {
				if t.outcome == "" {
					t.end, t.outcome = now, task.Canceled
				}
			}
		}
	}
	r.mu.Unlock()
	return r.Snapshot()
}

// timeline renders the records; whatever runs is taken to end now.
func (r *Recorder) timeline(now time.Time) Timeline {
	since := func(at time.Time) float64 { return seconds(at.Sub(r.started)) }
	t := r.head
	t.StandIns = slices.Clone(r.head.StandIns)
	t.TotalSeconds = since(now)
	t.Phases = make([]Phase, 0, len(r.phases))
	for _, p := range r.phases {
		end := p.end
		if end.IsZero() || p.open > 0 {
			end = now
		}
		phase := Phase{Name: p.name, Start: since(p.start), End: since(end), Tasks: make([]Task, 0, len(p.tasks))}
		for _, x := range p.tasks {
			end := x.end
			if x.outcome == "" {
				end = now
			}
			phase.Tasks = append(phase.Tasks, Task{Name: x.name, Start: since(x.start), End: since(end), Outcome: x.outcome, Detail: x.detail})
		}
		t.Phases = append(t.Phases, phase)
		switch {
		case p.name == PhaseDeploy && p.open == 0 && !p.end.IsZero():
			t.SetupSeconds = phase.End
		case p.name == PhaseTest:
			t.TestSeconds = seconds(end.Sub(p.start))
		}
	}
	return t
}

// cause is why a task failed, in one line and without the output of commands.
func cause(err error) string {
	if t := (*task.Error)(nil); errors.As(err, &t) {
		err = t.Err
	}
	text := err.Error()
	if c := (*command.Error)(nil); errors.As(err, &c) && c.Tail != "" {
		text = strings.Replace(text, "\n"+c.Tail, "", 1)
	}
	return oneLine(text)
}

// oneLine is the first line of text that says something.
func oneLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}
