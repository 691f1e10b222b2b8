package delivery

// What a Job's Secret and its pods agree on.

const (
	// ExitFile has, in a delivery, the exit code of ginkgo.
	ExitFile = "exit"
	// EnvironmentVariable tells specs where the file with their environment is.
	EnvironmentVariable = "HYBRID_ENVIRONMENT"
)

// ArgsFile has the arguments of ginkgo for the pod of an index, the program first, one per
// line.
func ArgsFile(index string) string { return index + ".args" }

// EnvironmentFile has the environment of the specs of an index.
func EnvironmentFile(index string) string { return index + ".environment.json" }
