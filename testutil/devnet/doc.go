// Package devnet runs a private Bitcoin and Lightning network out of real
// nodes: btcd on regtest, alice, who is the provider whose wallet is watched,
// and bob, a customer with a channel to her.
//
//	func TestMain(m *testing.M) { devnet.Run(m) }
//
//	func TestPay(t *testing.T) {
//		net := devnet.Shared(t)
//		inv, err := net.Alice.Invoice(t.Context(), 21_000, "tea")
//		...
//		_, err = net.Bob.Pay(t.Context(), inv.PaymentRequest)
//	}
//
// The nodes are built from the module in nodes/, once, into a cache. They are
// lnd's and btcd's own code; only the build tag lowscrypt, which makes opening
// a wallet cheap, differs from a release.
//
// Nothing outlives the process that called [Start], not even when that is killed
// with SIGKILL: the kernel kills the nodes, and a reaper, which reads from a
// pipe that closes with the process, removes the data. Both need Linux.
//
// Each step, which is a wait, a call or a payment, ends after two minutes at the latest,
// far above what it takes: so a caller needs no deadline, and none for many steps.
//
// lnd's wallet undoes only the last block of a reorg that is deeper. It then counts
// on for a transaction that no block holds, or says for good that one is missing:
// [Network.Mend] has it read the chain anew.
//
// What the chain can be made to do is in package btc, what the nodes can in package lnd;
// package build builds both, and package process runs them.
package devnet
