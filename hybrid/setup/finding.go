package setup

// Level says how much a finding matters.
type Level string

// The levels. A run with a finding of level error will fail.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Error   Level = "error"
)

// Finding is one thing that a run depends on, as this machine has it.
type Finding struct {
	// ID is stable, such as "inotify".
	ID    string `json:"id"`
	Level Level  `json:"level"`
	// Text says what was found.
	Text string `json:"text"`
	// Fix is the command to run or what to change; empty when nothing is to do.
	Fix string `json:"fix,omitempty"`
}
