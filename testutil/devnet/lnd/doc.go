// Package lnd runs and speaks to the Lightning nodes of the private network.
//
// A [Node] is one lnd with its wallet: it is launched, killed, frozen, locked and mended
// ([Node.Launch], [Node.Kill], [Node.Freeze], [Node.Unlock], [Node.Mend]), and it pays and
// is paid as a test says ([Node.Pay], [Node.Keysend], [Node.HoldInvoice]). Its clients are
// there for all else.
//
// Which nodes there are, who has a channel to whom and where their money comes from is for
// package devnet.
package lnd
