// Package config reads the settings of the daemon from the environment, checks them, and
// says what each means. Tools that speak to lnd or to a store by themselves use them too.
package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sandglass/adapters/cashu/mint"
	"sandglass/adapters/eventstoredb"
	"sandglass/adapters/eventstoredb/cluster"
	"sandglass/adapters/web/brand"
	"sandglass/cmd/sandglass/show"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/plan"
	"sandglass/domain/proof/checkpoint"

	"github.com/kelseyhightower/envconfig"
	"github.com/rs/zerolog"
)

// Prefix begins the name of every variable.
const Prefix = "SANDGLASS"

// Config is what `sandglass serve` reads from the environment. Secrets are paths to
// files, which systemd's LoadCredential fits.
//
// The names are whole, with their prefix: envconfig falls back from a name with a prefix to
// one without, and HOST or LOG_LEVEL may be there for others.
type Config struct {
	Store             string `envconfig:"SANDGLASS_STORE" secret:"url" default:"sqlite:sandglass.db"`
	StorePasswordFile string `envconfig:"SANDGLASS_STORE_PASSWORD_FILE" secret:"file"`
	StoreNamespace    string `envconfig:"SANDGLASS_STORE_NAMESPACE" default:"sandglass"`

	StateDir string `envconfig:"SANDGLASS_STATE_DIR"`
	Host     string `envconfig:"SANDGLASS_HOST"`
	Listen   string `envconfig:"SANDGLASS_LISTEN" default:"127.0.0.1:8420"`

	PublicURL     string `envconfig:"SANDGLASS_PUBLIC_URL"`
	LogOrigin     string `envconfig:"SANDGLASS_LOG_ORIGIN"`
	Witnesses     string `envconfig:"SANDGLASS_WITNESSES"`
	WitnessQuorum int    `envconfig:"SANDGLASS_WITNESS_QUORUM" default:"0"`
	Pages         bool   `envconfig:"SANDGLASS_PAGES" default:"true"`
	ShopName      string `envconfig:"SANDGLASS_SHOP_NAME"`
	ShopColor     string `envconfig:"SANDGLASS_SHOP_COLOR"`
	ShopLogo      string `envconfig:"SANDGLASS_SHOP_LOGO"`
	ShopImprint   string `envconfig:"SANDGLASS_SHOP_IMPRINT"`
	ShopTerms     string `envconfig:"SANDGLASS_SHOP_TERMS"`
	MetricsListen string `envconfig:"SANDGLASS_METRICS_LISTEN"`

	InvoiceCheckpoint bool `envconfig:"SANDGLASS_INVOICE_CHECKPOINT" default:"true"`

	CashuMints   string `envconfig:"SANDGLASS_CASHU_MINTS"`
	CashuPrivate bool   `envconfig:"SANDGLASS_CASHU_PRIVATE_MINTS" default:"false"`

	LndAddr           string `envconfig:"SANDGLASS_LND_ADDR" default:"127.0.0.1:10009"`
	LndTLSCert        string `envconfig:"SANDGLASS_LND_TLS_CERT" default:"/var/lib/lnd/tls.cert"`
	LndWatchMacaroon  string `envconfig:"SANDGLASS_LND_WATCH_MACAROON" secret:"file" default:"/etc/sandglass/watch.macaroon"`
	LndIssueMacaroon  string `envconfig:"SANDGLASS_LND_ISSUE_MACAROON" secret:"file" default:"/etc/sandglass/issue.macaroon"`
	LndAllowSpending  bool   `envconfig:"SANDGLASS_LND_ALLOW_SPENDING" default:"false"`
	OperatorTokenFile string `envconfig:"SANDGLASS_OPERATOR_TOKEN_FILE" secret:"file"`
	AuditorTokenFile  string `envconfig:"SANDGLASS_AUDITOR_TOKEN_FILE" secret:"file"`

	OnChain       bool `envconfig:"SANDGLASS_ON_CHAIN" default:"true"`
	Confirmations int  `envconfig:"SANDGLASS_CONFIRMATIONS" default:"3"`
	FinalDepth    int  `envconfig:"SANDGLASS_FINAL_DEPTH" default:"100"`

	BootID  string        `envconfig:"SANDGLASS_BOOT_ID"`
	MaxStep time.Duration `envconfig:"SANDGLASS_MAX_STEP" default:"2m"`

	RunDir     string        `envconfig:"SANDGLASS_RUN_DIR" default:"/run/sandglass"`
	KeeperDir  string        `envconfig:"SANDGLASS_KEEPER_STATE_DIR" default:"/var/lib/sandglass-keeper"`
	BlindGrace time.Duration `envconfig:"SANDGLASS_BLIND_GRACE" default:"15m"`

	SettleEvery   time.Duration `envconfig:"SANDGLASS_SETTLE_EVERY" default:"1h"`
	SweepEvery    time.Duration `envconfig:"SANDGLASS_SWEEP_EVERY" default:"2m"`
	MaxGap        time.Duration `envconfig:"SANDGLASS_MAX_GAP" default:"3h"`
	GapPolicy     string        `envconfig:"SANDGLASS_GAP_POLICY" default:"bill"`
	LateRequests  time.Duration `envconfig:"SANDGLASS_LATE_REQUESTS" default:"10m"`
	InvoiceExpiry time.Duration `envconfig:"SANDGLASS_INVOICE_EXPIRY" default:"1h"`

	MaxOpenInvoices int   `envconfig:"SANDGLASS_MAX_OPEN_INVOICES" default:"100000"`
	MaxOpenPer      int   `envconfig:"SANDGLASS_MAX_OPEN_INVOICES_PER_RESOURCE" default:"5"`
	MaxAwaiting     int   `envconfig:"SANDGLASS_MAX_UNPAID_ORDERS" default:"100000"`
	MaxAddresses    int   `envconfig:"SANDGLASS_MAX_UNPAID_ADDRESSES_PER_DAY" default:"1000"`
	MaxHeld         int   `envconfig:"SANDGLASS_MAX_HELD" default:"50"`
	MaxHeldPerHour  int   `envconfig:"SANDGLASS_MAX_HELD_PER_HOUR" default:"200"`
	MaxLive         int   `envconfig:"SANDGLASS_MAX_LIVE_STREAMS" default:"2048"`
	MaxLivePer      int   `envconfig:"SANDGLASS_MAX_LIVE_STREAMS_PER_ADDRESS" default:"64"`
	FreeSpaceFloor  int64 `envconfig:"SANDGLASS_FREE_SPACE_FLOOR" default:"268435456"`
	TrustProxy      bool  `envconfig:"SANDGLASS_TRUST_PROXY" default:"false"`

	LogLevel  string `envconfig:"SANDGLASS_LOG_LEVEL" default:"info"`
	LogFormat string `envconfig:"SANDGLASS_LOG_FORMAT" default:"json"`
}

// Load reads the environment. An error names the variable and says what would do. A variable
// that begins like these and is not known is an error too.
func Load() (Config, error) {
	var c Config
	if err := process(&c); err != nil {
		return c, err
	}
	if c.StateDir == "" {
		c.StateDir = stateDir()
	}
	return c, errors.Join(checkNames(), c.check())
}

// process reads the environment into the fields of c.
func process(c any) error {
	err := envconfig.Process("", c)
	var parse *envconfig.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("%s is %q: want %s", parse.KeyName, parse.Value, typeWords[parse.TypeName])
	}
	return err
}

// typeWords say what the types of the variables look like.
var typeWords = map[string]string{
	"time.Duration": "a duration such as 90s or 2h",
	"bool":          "true or false",
	"int":           "a whole number",
	"int64":         "a whole number",
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
	return fmt.Errorf("%s_%s is %q: want %s", Prefix, name, value, want)
}

func positive(name string, n int) error {
	return want(n > 0, name, strconv.Itoa(n), "a number above 0")
}

func (c *Config) check() error {
	store := c.Log().Wanted()
	_, listen := net.ResolveTCPAddr("tcp", c.Listen)
	_, metrics := net.ResolveTCPAddr("tcp", c.MetricsListen)
	_, _, lnd := net.SplitHostPort(c.LndAddr)
	return errors.Join(
		want(store == "", "STORE", cluster.Redact(c.Store), store),
		want(eventstoredb.CheckNamespace(c.StoreNamespace) == nil, "STORE_NAMESPACE", c.StoreNamespace,
			"1 to 40 of a-z, 0-9 and _, a letter first"),
		want(c.Host == "" || plan.CheckName(c.Host) == nil, "HOST", c.Host,
			"1 to 64 of a-z, 0-9 and -, no - at the ends, or nothing"),
		want(listen == nil, "LISTEN", c.Listen, "an address such as 127.0.0.1:8420"),
		want(c.PublicURL == "" || isPublic(c.PublicURL), "PUBLIC_URL", c.PublicURL,
			"a URL such as https://pay.example.org or https://example.org/pay, with no more than host and path, or nothing"),
		want(c.LogOrigin == "" || isOrigin(c.LogOrigin), "LOG_ORIGIN", c.LogOrigin,
			"a name such as shop.example.org/log, without spaces, + and /fork/, or nothing"),
		c.checkShop(),
		c.checkMints(),
		c.checkWitnesses(),
		want(filepath.IsAbs(c.KeeperDir), "KEEPER_STATE_DIR", c.KeeperDir, "a folder such as /var/lib/sandglass-keeper"),
		want(metrics == nil && (c.MetricsListen == "" || c.MetricsListen != c.Listen), "METRICS_LISTEN", c.MetricsListen,
			"an address such as 127.0.0.1:8421, another than "+Prefix+"_LISTEN, or nothing"),
		want(lnd == nil, "LND_ADDR", c.LndAddr, "an address such as 127.0.0.1:10009"),
		c.checkChain(),
		c.checkTimes(),
		positive("MAX_OPEN_INVOICES", c.MaxOpenInvoices),
		positive("MAX_OPEN_INVOICES_PER_RESOURCE", c.MaxOpenPer),
		positive("MAX_UNPAID_ORDERS", c.MaxAwaiting),
		positive("MAX_UNPAID_ADDRESSES_PER_DAY", c.MaxAddresses),
		positive("MAX_HELD", c.MaxHeld),
		positive("MAX_HELD_PER_HOUR", c.MaxHeldPerHour),
		positive("MAX_LIVE_STREAMS", c.MaxLive),
		positive("MAX_LIVE_STREAMS_PER_ADDRESS", c.MaxLivePer),
		want(c.FreeSpaceFloor >= 0, "FREE_SPACE_FLOOR", fmt.Sprint(c.FreeSpaceFloor), "0 or more bytes"),
		checkLog(c.LogLevel, c.LogFormat),
	)
}

// isPublic reports whether a URL can begin links: paths are put after it as they are.
func isPublic(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return false
	}
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	at := strings.TrimSuffix(u.Path, "/")
	return plain.String() == text && (at == "" || path.Clean(at) == at)
}

// isOrigin reports whether a log can have that name. That of a fork has /fork/ in it.
func isOrigin(text string) bool {
	return checkpoint.CheckOrigin(text) == nil && len(text) <= maxOrigin && !strings.Contains(text, "/fork/")
}

// maxOrigin leaves room for what the name of a fork has more.
const maxOrigin = 200

// Origin returns the name under which a log is signed from now on, or nothing if that is its key's to say.
func (c *Config) Origin() string {
	u, err := url.Parse(c.PublicURL)
	if c.LogOrigin != "" || c.PublicURL == "" || err != nil {
		return c.LogOrigin
	}
	if origin := u.Host + strings.TrimSuffix(u.Path, "/") + "/log"; isOrigin(origin) {
		return origin
	}
	return ""
}

// checkShop checks what is no file: files are read by who shows them.
func (c *Config) checkShop() error {
	err := brand.CheckName(c.ShopName)
	if err != nil {
		err = fmt.Errorf("%s_SHOP_NAME is %q: %w", Prefix, c.ShopName, err)
	}
	if c.ShopColor == "" {
		return err
	}
	_, no := brand.ParseColor(c.ShopColor)
	return errors.Join(err, want(no == nil, "SHOP_COLOR", c.ShopColor, "# and 6 hexadecimal digits, such as #1f6feb, or nothing"))
}

// Mints returns the mints whose tokens are taken, by their URLs.
func (c *Config) Mints() (urls []string) {
	for one := range strings.SplitSeq(c.CashuMints, ",") {
		if url := strings.TrimSuffix(strings.TrimSpace(one), "/"); url != "" {
			urls = append(urls, url)
		}
	}
	return urls
}

func (c *Config) checkMints() error {
	const most = 16 // each is named in every demand
	urls := c.Mints()
	for _, url := range urls {
		if err := mint.CheckURL(url, c.CashuPrivate); err != nil {
			return fmt.Errorf("%s_CASHU_MINTS is %q: %w", Prefix, c.CashuMints, err)
		}
	}
	return want(len(urls) <= most, "CASHU_MINTS", c.CashuMints, fmt.Sprintf("up to %d mints", most))
}

func (c *Config) checkChain() error {
	return errors.Join(
		want(c.Confirmations >= 1 && c.Confirmations <= plan.MaxConfirmations, "CONFIRMATIONS", strconv.Itoa(c.Confirmations),
			fmt.Sprintf("1 to %d", plan.MaxConfirmations)),
		want(c.FinalDepth >= c.Confirmations && c.FinalDepth <= 10_000, "FINAL_DEPTH", strconv.Itoa(c.FinalDepth),
			Prefix+"_CONFIRMATIONS to 10000"),
	)
}

func (c *Config) checkTimes() error {
	return errors.Join(
		want(c.SettleEvery >= time.Second, "SETTLE_EVERY", c.SettleEvery.String(), "1s or more"),
		want(c.SweepEvery >= time.Second, "SWEEP_EVERY", c.SweepEvery.String(), "1s or more"),
		want(c.MaxGap == 0 || c.MaxGap > c.SettleEvery, "MAX_GAP", c.MaxGap.String(),
			"0, or more than "+Prefix+"_SETTLE_EVERY ("+c.SettleEvery.String()+")"),
		want(c.MaxStep >= time.Second && c.MaxStep <= time.Hour, "MAX_STEP", c.MaxStep.String(), "1s to 1h"),
		want(c.GapPolicy == "bill" || c.GapPolicy == "forgive", "GAP_POLICY", c.GapPolicy, "bill or forgive"),
		want(c.BlindGrace >= 0 && c.BlindGrace <= 24*time.Hour, "BLIND_GRACE", c.BlindGrace.String(), "0s to 24h"),
		want(c.LateRequests >= 0 && c.LateRequests <= 24*time.Hour, "LATE_REQUESTS", c.LateRequests.String(), "0s to 24h"),
		want(c.InvoiceExpiry >= time.Minute && c.InvoiceExpiry <= 30*24*time.Hour, "INVOICE_EXPIRY", c.InvoiceExpiry.String(),
			"1m to 720h"),
	)
}

func checkLog(level, format string) error {
	_, err := zerolog.ParseLevel(level)
	return errors.Join(
		want(err == nil && level != "", "LOG_LEVEL", level, "debug, info, warn or error"),
		want(format == "json" || format == "console", "LOG_FORMAT", format, "json or console"),
	)
}

// Logger returns a log of a level and a format, which were checked with the other settings.
func Logger(level, format string, w io.Writer) zerolog.Logger {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	least, _ := zerolog.ParseLevel(level)
	if format == "console" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05.000"}
	}
	return zerolog.New(w).Level(least).With().Timestamp().Logger()
}

// CheckDaemon checks what holds for the daemon alone: in a cluster it has a name.
func (c *Config) CheckDaemon() error {
	return want(c.Host != "" || !c.Log().Shared(), "HOST", c.Host,
		"the name of this host: the log in a cluster can be shared, and one host alone meters a resource")
}

// SnapshotPath returns where the daemon keeps its snapshot.
func (c *Config) SnapshotPath() string { return filepath.Join(c.StateDir, "snapshot.bin") }

// Log returns where the daemon's log is.
func (c *Config) Log() storeurl.Place {
	p := c.LogAt(c.Store)
	p.Dir = c.StateDir
	return p
}

// LogAt returns where the log of a URL is, by the other settings.
func (c *Config) LogAt(url string) storeurl.Place {
	return storeurl.Place{
		URL:          url,
		PasswordFile: c.StorePasswordFile,
		PasswordFrom: Prefix + "_STORE_PASSWORD_FILE",
		Namespace:    c.StoreNamespace,
		Floor:        c.FreeSpaceFloor,
	}
}

// Print writes every variable with its value, its default and its meaning. The
// value of a secret is a path; what the file holds is never read here.
func Print[T Config | Keeper](w io.Writer, c T) error {
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
			value = cluster.Redact(value)
		}
		name := f.Tag.Get("envconfig")
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, show.OrDash(value), show.OrDash(f.Tag.Get("default")), meanings[name])
	}
	return t.Flush()
}
