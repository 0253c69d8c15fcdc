package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/plan"

	"github.com/kelseyhightower/envconfig"
	"github.com/rs/zerolog"
)

// prefix begins the name of every variable.
const prefix = "SANDGLASS"

// Config is what `sandglass serve` reads from the environment. Secrets are paths to
// files, which systemd's LoadCredential fits.
type Config struct {
	Store             string `envconfig:"STORE" desc:"event store: sqlite:PATH, where a relative PATH is in the state folder, or esdb://USER@HOST:2113 of EventStoreDB or KurrentDB" secret:"url" default:"sqlite:sandglass.db"`
	StorePasswordFile string `envconfig:"STORE_PASSWORD_FILE" desc:"file: password of the user whom an esdb:// store names" secret:"file"`
	StoreNamespace    string `envconfig:"STORE_NAMESPACE" desc:"what the streams of this log begin with in an esdb:// store, which others may use too" default:"sandglass"`

	StateDir string `envconfig:"STATE_DIR" desc:"folder for the store and the snapshot; systemd's StateDirectory, or ~/.local/state/sandglass, if empty"`
	Host     string `envconfig:"HOST" desc:"name of this host where several share one log: it meters its own resources alone; empty is one machine, which owns all"`
	Listen   string `envconfig:"LISTEN" desc:"address of the HTTP API" default:"127.0.0.1:8420"`

	LndAddr           string `envconfig:"LND_ADDR" desc:"lnd's gRPC address" default:"127.0.0.1:10009"`
	LndTLSCert        string `envconfig:"LND_TLS_CERT" desc:"file: lnd's tls.cert" default:"/var/lib/lnd/tls.cert"`
	LndWatchMacaroon  string `envconfig:"LND_WATCH_MACAROON" desc:"file: macaroon that reads invoices, transactions and blocks" secret:"file" default:"/etc/sandglass/watch.macaroon"`
	LndIssueMacaroon  string `envconfig:"LND_ISSUE_MACAROON" desc:"file: macaroon that makes invoices and addresses" secret:"file" default:"/etc/sandglass/issue.macaroon"`
	LndAllowSpending  bool   `envconfig:"LND_ALLOW_SPENDING" desc:"take macaroons that can spend, which are refused otherwise" default:"false"`
	OperatorTokenFile string `envconfig:"OPERATOR_TOKEN_FILE" desc:"file: bearer token of the operator, 20 characters or more; operators' calls are off if empty" secret:"file"`
	AuditorTokenFile  string `envconfig:"AUDITOR_TOKEN_FILE" desc:"file: bearer token that reads the log" secret:"file"`

	OnChain       bool `envconfig:"ON_CHAIN" desc:"take payments on the chain too: each resource gets an address" default:"true"`
	Confirmations int  `envconfig:"CONFIRMATIONS" desc:"blocks that make a payment on the chain count, its own included; a plan may ask for more" default:"3"`
	FinalDepth    int  `envconfig:"FINAL_DEPTH" desc:"blocks until which it is watched for a reorg, which takes its credit back" default:"100"`

	SettleEvery   time.Duration `envconfig:"SETTLE_EVERY" desc:"a running resource is debited at least this often" default:"1h"`
	SweepEvery    time.Duration `envconfig:"SWEEP_EVERY" desc:"the wallet is compared with the log at least this often" default:"2m"`
	MaxGap        time.Duration `envconfig:"MAX_GAP" desc:"a longer time without a debit is a gap: a dead daemon or a jumped clock; 0 is none" default:"3h"`
	GapPolicy     string        `envconfig:"GAP_POLICY" desc:"bill or forgive the rest of a gap" default:"bill"`
	InvoiceExpiry time.Duration `envconfig:"INVOICE_EXPIRY" desc:"how long an invoice can be paid" default:"1h"`

	MaxOpenInvoices int   `envconfig:"MAX_OPEN_INVOICES" desc:"open invoices in all" default:"100000"`
	MaxOpenPer      int   `envconfig:"MAX_OPEN_INVOICES_PER_RESOURCE" desc:"open invoices of one resource" default:"5"`
	MaxAwaiting     int   `envconfig:"MAX_UNPAID_ORDERS" desc:"orders that were never paid" default:"100000"`
	MaxLive         int   `envconfig:"MAX_LIVE_STREAMS" desc:"open event streams in all" default:"2048"`
	MaxLivePer      int   `envconfig:"MAX_LIVE_STREAMS_PER_ADDRESS" desc:"open event streams of one address" default:"64"`
	FreeSpaceFloor  int64 `envconfig:"FREE_SPACE_FLOOR" desc:"bytes: writes stop when the disk has less free; 0 is no floor" default:"268435456"`
	TrustProxy      bool  `envconfig:"TRUST_PROXY" desc:"take the client's address from X-Forwarded-For: only behind a proxy of yours" default:"false"`

	LogLevel  string `envconfig:"LOG_LEVEL" desc:"debug, info, warn or error" default:"info"`
	LogFormat string `envconfig:"LOG_FORMAT" desc:"json, or console for people" default:"json"`
}

// loadConfig reads the environment. An error names the variable and says what would do.
func loadConfig() (Config, error) {
	var c Config
	if err := envconfig.Process(prefix, &c); err != nil {
		var parse *envconfig.ParseError
		if errors.As(err, &parse) {
			return c, fmt.Errorf("%s is %q: want %s", parse.KeyName, parse.Value, typeWords[parse.TypeName])
		}
		return c, err
	}
	if c.StateDir == "" {
		c.StateDir = stateDir()
	}
	return c, c.check()
}

// typeWords say what the types of the variables look like.
var typeWords = map[string]string{
	"time.Duration": "a duration such as 90s or 2h", "bool": "true or false", "int": "a whole number", "int64": "a whole number",
}

// stateDir is where systemd or, for a person, the XDG base directories want state.
func stateDir() string {
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sandglass")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "/var/lib/sandglass"
	}
	return filepath.Join(home, ".local", "state", "sandglass")
}

// want returns an error that names a variable whose value is not ok.
func want(ok bool, name, value, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s_%s is %q: want %s", prefix, name, value, want)
}

func positive(name string, n int) error {
	return want(n > 0, name, strconv.Itoa(n), "a number above 0")
}

func (c *Config) check() error {
	store := c.storePlace().check()
	_, listen := net.ResolveTCPAddr("tcp", c.Listen)
	_, _, lnd := net.SplitHostPort(c.LndAddr)
	_, level := zerolog.ParseLevel(c.LogLevel)
	return errors.Join(
		want(store == "", "STORE", eventstoredb.Redact(c.Store), store),
		want(eventstoredb.CheckNamespace(c.StoreNamespace) == nil, "STORE_NAMESPACE", c.StoreNamespace, "1 to 40 of a-z, 0-9 and _, a letter first"),
		want(c.Host == "" || plan.CheckName(c.Host) == nil, "HOST", c.Host, "1 to 64 of a-z, 0-9 and -, no - at the ends, or nothing"),
		want(listen == nil, "LISTEN", c.Listen, "an address such as 127.0.0.1:8420"),
		want(lnd == nil, "LND_ADDR", c.LndAddr, "an address such as 127.0.0.1:10009"),
		want(c.Confirmations >= 1 && c.Confirmations <= plan.MaxConfirmations, "CONFIRMATIONS", strconv.Itoa(c.Confirmations), fmt.Sprintf("1 to %d", plan.MaxConfirmations)),
		want(c.FinalDepth >= c.Confirmations && c.FinalDepth <= 10_000, "FINAL_DEPTH", strconv.Itoa(c.FinalDepth), prefix+"_CONFIRMATIONS to 10000"),
		want(c.SettleEvery >= time.Second, "SETTLE_EVERY", c.SettleEvery.String(), "1s or more"),
		want(c.SweepEvery >= time.Second, "SWEEP_EVERY", c.SweepEvery.String(), "1s or more"),
		want(c.MaxGap == 0 || c.MaxGap > c.SettleEvery, "MAX_GAP", c.MaxGap.String(), "0, or more than "+prefix+"_SETTLE_EVERY ("+c.SettleEvery.String()+")"),
		want(c.GapPolicy == "bill" || c.GapPolicy == "forgive", "GAP_POLICY", c.GapPolicy, "bill or forgive"),
		want(c.InvoiceExpiry >= time.Minute && c.InvoiceExpiry <= 30*24*time.Hour, "INVOICE_EXPIRY", c.InvoiceExpiry.String(), "1m to 720h"),
		positive("MAX_OPEN_INVOICES", c.MaxOpenInvoices), positive("MAX_OPEN_INVOICES_PER_RESOURCE", c.MaxOpenPer),
		positive("MAX_UNPAID_ORDERS", c.MaxAwaiting), positive("MAX_LIVE_STREAMS", c.MaxLive), positive("MAX_LIVE_STREAMS_PER_ADDRESS", c.MaxLivePer),
		want(c.FreeSpaceFloor >= 0, "FREE_SPACE_FLOOR", fmt.Sprint(c.FreeSpaceFloor), "0 or more bytes"),
		want(level == nil && c.LogLevel != "", "LOG_LEVEL", c.LogLevel, "debug, info, warn or error"),
		want(c.LogFormat == "json" || c.LogFormat == "console", "LOG_FORMAT", c.LogFormat, "json or console"),
	)
}

// storePlace returns where the daemon's log is.
func (c *Config) storePlace() storePlace {
	p := c.place(c.Store)
	p.dir = c.StateDir
	return p
}

// printConfig writes every variable with its value, its default and its meaning. The
// value of a secret is a path; what the file holds is never read here.
func printConfig(w io.Writer, c Config) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "VARIABLE\tVALUE\tDEFAULT\tMEANING")
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		value := fmt.Sprint(v.Field(i).Interface())
		switch secret := f.Tag.Get("secret"); {
		case secret == "file" && value != "":
			value += " (contents hidden)"
		case secret == "url":
			value = eventstoredb.Redact(value)
		}
		fmt.Fprintf(t, "%s_%s\t%s\t%s\t%s\n", prefix, f.Tag.Get("envconfig"), orDash(value), orDash(f.Tag.Get("default")), f.Tag.Get("desc"))
	}
	return t.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
