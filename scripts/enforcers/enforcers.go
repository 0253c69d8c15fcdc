// Package enforcers holds the ready-made enforcers, for a program that brings its own.
package enforcers

import _ "embed"

// Process is the executable by which a resource is a program on this machine.
//
//go:embed process
var Process []byte
