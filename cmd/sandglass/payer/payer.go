// Package payer has the commands of those who pay for a resource or hold it: order,
// resource and payment.
package payer

import "sandglass/cmd/sandglass/cli"

// commands are run in an environment.
type commands struct{ *cli.Env }
