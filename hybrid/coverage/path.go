package coverage

// Path is where coverage data lives: the folder on the Kind node, the hostPath
// volume and mount of an instrumented pod, its GOCOVERDIR, and where the data
// is collected from. It is one constant because data that is written to one
// place and collected from another is lost without an error.
const Path = "/coverdata"
