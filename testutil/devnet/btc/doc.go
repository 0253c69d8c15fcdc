// Package btc is the chain of the private network: btcd on regtest, the miner whom every
// block pays, and rivals who mine a chain of their own.
//
// The chain does what a test says. Blocks are mined with what is in the mempool
// ([Chain.Mine]), or crafted with whatever a test likes, on any block ([Chain.MineBranch]),
// which makes reorgs ([Chain.Reorg]) and double spends ([Chain.DoubleSpend]); payments are
// replaced in the mempool ([Chain.Bump]); a second btcd mines a chain of its own
// ([Chain.StartRival]). [Chain.ActiveOutputs] tells what was paid in the end.
//
// Who follows the chain, and how it is known that they have seen the last block, is for
// whoever makes it: package devnet, whose lnds do.
package btc
