package reconcile

// Kind is in which way the log and the wallet differ.
type Kind string

// The kinds: money that the log lacks; money that it has and should not, or has otherwise;
// what it says against itself; and what could not be compared.
const (
	NotInLog    Kind = "not_in_log"   // the wallet has it, the log knows of no settlement
	NotCredited Kind = "not_credited" // an output has its confirmations, and the log has not settled it
	Unfinished  Kind = "unfinished"   // settled in the log, neither credited nor unallocated

	NotInWallet  Kind = "not_in_wallet" // the log says that this node received it, the wallet does not
	BlockLeft    Kind = "block_left"    // the log counts an output whose block is not of the active chain
	OtherBlock   Kind = "other_block"   // the active chain has the output in another block than the log
	OtherAddress Kind = "other_address" // the output pays another address of ours than the log says
	OtherAmount  Kind = "amount"        // the amounts differ
	OtherNode    Kind = "other_node"    // the log says that another node received it
	NotIssued    Kind = "not_issued"    // the log counts an output to an address that it never issued

	Unsettled     Kind = "unsettled"      // credited or unallocated, and the log does not say that it arrived
	CreditMissing Kind = "credit_missing" // credited, says the payment; its resource does not have it
	CreditAmount  Kind = "credit_amount"  // its resource has another amount than arrived
	CreditExtra   Kind = "credit_extra"   // a resource has money by a payment that does not say so, or twice

	Unreadable  Kind = "unreadable"   // the wallet's record of it can't be understood, or can't be read
	OtherWallet Kind = "other_wallet" // the log never watched this node, or on another network
)

// advice says of each kind what it means, and what to do.
var advice = map[Kind]string{
	NotInLog: "Money arrived that no resource got. " +
		"A running daemon books it at its next sweep, within minutes: reconcile again then. " +
		"If it stays, the daemon's log says why it can't be booked.",
	NotCredited: "The output is deep enough to count, and was not credited. " +
		"A running daemon does so within seconds of the block: see /readyz and its log, " +
		"and whether it waits for more confirmations than were asked for here.",
	Unfinished: "The daemon stopped between the money and its credit. " +
		"It goes on by itself once it runs and reaches the wallet: start it, and reconcile again.",
	NotInWallet: "The log credits money that the wallet never had, or has lost. " +
		"Was the wallet's database restored from a backup, or the log changed? " +
		"Run audit replay, and compare with the wallet's own backups before you trust either.",
	BlockLeft: "A reorg took the block out of the chain, and the credit still stands. " +
		"A running daemon takes it back at the next block. " +
		"A payment that is final is no longer watched: take it up with the payer.",
	OtherBlock: "A reorg moved the output to another block. " +
		"A running daemon reverses the credit and gives it again. " +
		"If it stays, the payment was final: the money is there, only the log's block is old.",
	OtherAddress: "The chain is right about where an output went, so that the log may have credited the wrong resource. " +
		"Run audit replay: was the log changed?",
	OtherAmount: "One payment has two amounts. Run audit replay to see whether the log was changed. " +
		"The wallet's is what arrived: make up for the rest by a grant, or take it up with the payer.",
	OtherNode: "Two nodes claim one payment. Is one a copy of the other, or was the log changed? " +
		"Never run two nodes on one wallet.",
	NotIssued: "Nothing in the log says that this address is ours: an event is missing, or the payment was made up. " +
		"Run audit replay, and look for the address in the wallet.",
	Unsettled: "The event that says that the money arrived is missing. " +
		"The log was changed, or is not whole: run audit replay.",
	CreditMissing: "The payment is booked as used, and its resource does not have it. " +
		"The log was changed, or is not whole: run audit replay. Make up for it by a grant.",
	CreditAmount: "The resource was not credited with what arrived. The log was changed: run audit replay.",
	CreditExtra: "A resource has time that this payment did not buy, or bought once already. " +
		"After a reorg a running daemon takes it back at once; else run audit replay.",
	Unreadable: "What it holds is not compared. See what lncli says of it, and update this build if the wallet is newer.",
	OtherWallet: "Nothing that this wallet received is in this log. " +
		"Do SANDGLASS_LND_ADDR and the log belong together? " +
		"A new daemon adopts the node when it first reaches it.",
}
