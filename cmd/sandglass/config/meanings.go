package config

// meanings say of each variable what it is, in the words of --print-config.
var meanings = map[string]string{
	"SANDGLASS_STORE": "event store: sqlite:PATH, where a relative PATH is in the state folder, or " +
		"esdb://USER@HOST:2113 of EventStoreDB or KurrentDB",
	"SANDGLASS_STORE_PASSWORD_FILE": "file: password of the user whom an esdb:// store names",
	"SANDGLASS_STORE_NAMESPACE":     "what the streams of this log begin with in an esdb:// store, which others may use too",
	"SANDGLASS_STATE_DIR": "folder for the store and the snapshot; systemd's StateDirectory, or ~/.local/state/sandglass, " +
		"if empty",
	"SANDGLASS_HOST": "name of this host where several share one log: it meters its own resources alone; empty is one " +
		"machine, which owns all",
	"SANDGLASS_LISTEN": "address of the HTTP API",
	"SANDGLASS_PUBLIC_URL": "where clients reach the API through your proxy, such as https://example.org/pay: links begin with " +
		"it; empty: they are paths",
	"SANDGLASS_LOG_ORIGIN": "name under which the log is signed, such as shop.example.org/log; empty: that of the public URL, " +
		"or drawn from the key; once the log is signed, it is that of its next fork",
	"SANDGLASS_WITNESSES": "who cosigns what is signed of the log: of each its URL, a space and its public key, with " +
		"commas between; empty: nobody",
	"SANDGLASS_WITNESS_QUORUM": "how many of the witnesses are enough for a checkpoint to be shown as " +
		"cosigned; 0: most of them",
	"SANDGLASS_PAGES":        "serve the pages for people too: the shop, and a page of each resource",
	"SANDGLASS_SHOP_NAME":    "what the pages are headed by; empty: Sandglass",
	"SANDGLASS_SHOP_COLOR":   "colour of buttons and links, as in #1f6feb; where it would not be read it is made darker or lighter",
	"SANDGLASS_SHOP_LOGO":    "a PNG or SVG file, up to 256 KiB",
	"SANDGLASS_SHOP_IMPRINT": "a text file: who offers this, shown on a page and on receipts",
	"SANDGLASS_SHOP_TERMS":   "a text file: the terms, shown on a page",
	"SANDGLASS_METRICS_LISTEN": "address at which /metrics, which shows your sums, and /readyz are answered in full without a " +
		"token; empty is none: that takes the auditor's or the operator's",
	"SANDGLASS_INVOICE_CHECKPOINT": "say in each invoice how many events the log has, and which, by the first bytes of a hash: " +
		"so payers can tell later if it was changed",
	"SANDGLASS_CASHU_MINTS": "mints whose Cashu tokens programs can pay with, such as https://mint.example.org, with commas " +
		"between; empty: none",
	"SANDGLASS_CASHU_PRIVATE_MINTS": "the mints may be at addresses that are not public, and of http",
	"SANDGLASS_LND_ADDR":            "lnd's gRPC address",
	"SANDGLASS_LND_TLS_CERT":        "file: lnd's tls.cert",
	"SANDGLASS_LND_WATCH_MACAROON":  "file: macaroon that reads invoices, transactions and blocks",
	"SANDGLASS_LND_ISSUE_MACAROON":  "file: macaroon that makes invoices and addresses, and cancels invoices",
	"SANDGLASS_LND_ALLOW_SPENDING":  "take macaroons that can spend, which are refused otherwise",
	"SANDGLASS_OPERATOR_TOKEN_FILE": "file: bearer token of the operator, 20 characters or more; operators' calls are off if " +
		"empty",
	"SANDGLASS_AUDITOR_TOKEN_FILE": "file: bearer token that reads the log",
	"SANDGLASS_ON_CHAIN": "take payments on the chain too, at an address for who asks for one; else only those given " +
		"out before are watched",
	"SANDGLASS_CONFIRMATIONS": "blocks that make a payment on the chain count, its own included; a plan may " +
		"ask for more",
	"SANDGLASS_FINAL_DEPTH": "blocks until which it is watched for a reorg, which takes its credit back",
	"SANDGLASS_BOOT_ID":     "id of this boot of the machine; the kernel is asked for it if empty",
	"SANDGLASS_RUN_DIR":     "folder in which the daemon and the keeper leave word for each other",
	"SANDGLASS_KEEPER_STATE_DIR": "folder in which the keeper leaves on disk when it was last well: read by the " +
		"daemon after a boot",
	"SANDGLASS_BLIND_GRACE": "while the wallet can't be read, for how long nobody whose time ends is stopped",
	"SANDGLASS_SYSTEMD_UNITS": "templates of units that may be rented out, such as app@.service, with * and ?, divided by commas; " +
		"none if empty",
	"SANDGLASS_ENFORCERS":                      "folder of executables that start and stop resources, one for each enforcer",
	"SANDGLASS_MAX_STEP":                       "a larger step of the wall clock is doubted, and this one followed",
	"SANDGLASS_SETTLE_EVERY":                   "a running resource is debited at least this often",
	"SANDGLASS_SWEEP_EVERY":                    "the wallet is compared with the log at least this often",
	"SANDGLASS_MAX_GAP":                        "a longer time without a debit is a gap: a dead daemon or a jumped clock; 0 is none",
	"SANDGLASS_GAP_POLICY":                     "bill or forgive the rest of a gap",
	"SANDGLASS_LATE_REQUESTS":                  "in a cluster, how long money waits for its request, which another daemon has",
	"SANDGLASS_INVOICE_EXPIRY":                 "how long an invoice can be paid",
	"SANDGLASS_MAX_OPEN_INVOICES":              "open invoices of resources that were paid",
	"SANDGLASS_MAX_OPEN_INVOICES_PER_RESOURCE": "open invoices of one resource, its holder's apart from others'",
	"SANDGLASS_MAX_UNPAID_ORDERS":              "open invoices of orders that were never paid",
	"SANDGLASS_MAX_UNPAID_ADDRESSES_PER_DAY":   "addresses that are given to orders that were never paid",
	"SANDGLASS_MAX_HELD":                       "payments held at once until what they are for is up; of more each goes back",
	"SANDGLASS_MAX_HELD_PER_HOUR":              "and that come to be held in an hour",
	"SANDGLASS_MAX_LIVE_STREAMS":               "open event streams in all",
	"SANDGLASS_MAX_LIVE_STREAMS_PER_ADDRESS":   "open event streams of one address; of its network (/24, /48) four times that",
	"SANDGLASS_FREE_SPACE_FLOOR":               "bytes: writes stop when the disk has less free; 0 is no floor",
	"SANDGLASS_TRUST_PROXY":                    "take the client's address from X-Forwarded-For: only behind a proxy of yours",
	"SANDGLASS_LOG_LEVEL":                      "debug, info, warn or error",
	"SANDGLASS_LOG_FORMAT":                     "json, or console for people",
}
