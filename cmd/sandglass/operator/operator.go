// Package operator has the commands of those who rent out computers: status, plan, unallocated,
// and those of resource that need the operator's token.
package operator

import "sandglass/cmd/sandglass/cli"

// commands are run in an environment.
type commands struct{ *cli.Env }
