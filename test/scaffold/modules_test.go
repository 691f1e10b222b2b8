package scaffold_test

// A controller that is written later needs modules that nothing else here does. With
// this import go.mod has them, and the new suite works without a change to it.
import _ "sigs.k8s.io/controller-runtime/pkg/builder"
