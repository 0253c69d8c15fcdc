package operator

import (
	"cmp"
	"fmt"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/enforce"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/plan/param"

	"github.com/spf13/cobra"
)

// PlanCmd returns plan, with its subcommands.
func PlanCmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "What is on offer, and at which price",
		Example: `  sandglass plan publish small --price 3600sat --per 1h --min 1m --max 30d --warn 10m --grace 1d
  sandglass plan list`,
	}
	cmd.AddCommand(planPublishCmd(c), planListCmd(c), planWithdrawCmd(c))
	return cmd
}

// What is billed by its uptime has these bounds, if no others are given.
const (
	uptime             = "uptime"
	defaultStartWithin = 15 * instant.Minute
	defaultMaxOutage   = instant.Day
)

// publishFlags are the terms of a plan as they are typed.
type publishFlags struct {
	price, warnAmount        cli.AmountFlag
	per, min, max, grace, at cli.TimeFlag

	bill                             string
	startWithin, maxOutage, maxPause cli.TimeFlag

	share                 shareFlag
	deep                  deepFlag
	title, enforcer, unit string
	hosts                 []string
	capacity              int64
	hold                  bool
	params                []string
}

func (f *publishFlags) request(name string) (wire.PublishRequest, error) {
	r := wire.PublishRequest{
		Name:     name,
		Title:    f.title,
		Enforcer: f.spec(),
		Hosts:    f.hosts,
		Price:    wire.Price{Msat: f.price.Msat, Per: f.per.Millis},
		Min:      f.min.Millis,
		Max:      f.max.Millis,
		Grace:    f.grace.Millis,
		Bill:     f.bill,
		MaxPause: f.maxPause.Millis,
		Hold:     f.hold,
		Capacity: f.capacity,
	}
	if r.Bill == "" && (r.Enforcer != "" || r.Hold) {
		r.Bill = uptime
	}
	if r.Bill == uptime {
		r.StartWithin = cmp.Or(f.startWithin.Millis, defaultStartWithin)
		r.MaxOutage = cmp.Or(f.maxOutage.Millis, defaultMaxOutage)
	} else {
		r.StartWithin, r.MaxOutage = f.startWithin.Millis, f.maxOutage.Millis // which is refused, and told why
	}
	if warn := (wire.Warn{Time: f.at.Millis, Amount: f.warnAmount.Msat, Share: f.share.ppm}); warn != (wire.Warn{}) {
		r.Warn = &warn
	}
	if f.deep.Confirmations > 0 {
		r.Deep = &f.deep.Deep
	}
	for _, text := range f.params {
		p, err := param.Parse(text)
		if err != nil {
			return r, cli.Usage("--param: %v", err)
		}
		r.Params = append(r.Params, wire.Param{
			Name: p.Name, Required: p.Required, Max: p.Max, Lines: p.Lines, Choices: p.Choices, Default: p.Default,
		})
	}
	return r, nil
}

// spec is the enforcer with its unit.
func (f *publishFlags) spec() string {
	if f.unit == "" {
		return f.enforcer
	}
	return cmp.Or(f.enforcer, enforce.Systemd) + ":" + f.unit
}

func (f *publishFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&f.price, "price", "what --per costs: msat, or with a unit: 3600sat, 0.0001btc")
	flags.Var(&f.per, "per", "the time that --price buys: 1h, 1d")
	flags.Var(&f.min, "min", "the least time that one payment may ask for")
	flags.Var(&f.max, "max", "the most time that one payment may ask for")
	flags.Var(&f.at, "warn", "warn when so much time is left")
	flags.Var(&f.warnAmount, "warn-msat", "or warn when so much money is left")
	flags.Var(&f.share, "warn-share", "or warn when such a share of the last balance is left: 10%")
	flags.Var(&f.grace, "grace", "how long a resource without time is kept")
	flags.Var(&f.deep, "deep", "above a sum on the chain that is not final, ask for more confirmations: 1000000sat:6")
	flags.StringVar(&f.title, "title", "", "what people are shown")
	flags.StringVar(&f.enforcer, "enforcer", "", "what starts and stops the resource: systemd:app@.service, or an executable's name")
	flags.StringVar(&f.unit, "unit", "", "app@.service is the same as --enforcer systemd:app@.service")
	flags.StringVar(&f.bill, "bill", "", "which time is billed: wall, all of it, or uptime, by the keeper (uptime with an enforcer)")
	flags.Var(&f.startWithin, "start-within", "by uptime: how long it may take to be up before that is an alarm (15m)")
	flags.BoolVar(&f.hold, "hold", false, "by uptime: hold the first payment until it is up, or give it back after --start-within")
	flags.Var(&f.maxOutage, "max-outage", "by uptime: how long in 30 days it can be down before its time passes (1d; 30d: no bound)")
	flags.Var(&f.maxPause, "max-pause", "how long in 30 days it can be paused before its time passes (no bound)")
	flags.StringSliceVar(&f.hosts, "hosts", nil, "the hosts that it can be had on, of several: rack-1,rack-2; any if not given")
	flags.Int64Var(&f.capacity, "capacity", 0, "how many fit on each host: no invoice is given for more (no bound)")
	flags.StringArrayVar(&f.params, "param", nil, "a `PARAMETER` that orders may set: ssh_key:required:max=800; again for each")
	for _, name := range []string{"price", "per", "min", "max", "grace"} {
		_ = cmd.MarkFlagRequired(name) // fails only for an unknown flag
	}
	cmd.MarkFlagsMutuallyExclusive("warn", "warn-msat", "warn-share")
}

func planPublishCmd(c commands) *cobra.Command {
	var p publishFlags
	cmd := &cobra.Command{
		Use:   "publish NAME",
		Short: "Put a plan on offer, or change it for later orders",
		Long: `Put a plan on offer, or change what is on offer. A resource keeps the terms that it was
ordered with. A warning is written once whenever what is left falls to --warn.

With --capacity no invoice or address is given for more than fit on a host; those that may still be paid
count. What is paid late all the same runs, and "sandglass status" tells that it is over.

With --param an order may say something of the resource, which what starts it is told: a name, and after
colons required, max=800 (bytes; 256), lines (more than one), choice=debian,alpine, default=debian.

With an enforcer its time passes while the keeper of its host says that it is up (--bill uptime), unless
you bill the wall: all time from the payment on. An outage that is learned late is given back.`,
		Example: `  sandglass plan publish small --price 3600000 --per 1h --min 1m --max 720h --warn 10m --grace 24h
  sandglass plan publish large --price 0.001btc --per 1d --min 1h --max 365d --warn-share 10% --grace 7d \
      --deep 1000000sat:6 --enforcer systemd:app@.service --title "A large virtual machine"
  sandglass plan publish app --price 100sat --per 1h --min 1h --max 30d --grace 1d --enforcer systemd:app@.service \
      --max-pause 7d --capacity 20 --param ssh_key:required:max=800 --param image:choice=debian,alpine:default=debian`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := p.request(args[0])
			if err != nil {
				return err
			}
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			plan, err := cl.Publish(cmd.Context(), r)
			if err != nil {
				return err
			}
			if c.JSON {
				return show.JSON(c.Stdout, plan)
			}
			return c.printPlan(plan)
		},
	}
	p.add(cmd)
	return cmd
}

func planListCmd(c commands) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the plans",
		Example: "  sandglass plan list\n  sandglass plan list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.Client(cli.Anyone)
			if err != nil {
				return err
			}
			plans, err := cl.Plans(cmd.Context())
			if err != nil {
				return err
			}
			if c.JSON {
				return show.JSON(c.Stdout, plans)
			}
			rows := make([]string, len(plans))
			for i, p := range plans {
				rows[i] = show.Cells(p.Name, offer(&p), show.Price(money.Price(p.Price)),
					p.Min.InUnits(), p.Max.InUnits(), warning(p.Warn), p.Grace.InUnits(),
					deeper(p.Deep), strings.Join(p.Hosts, ","), available(&p), p.Enforcer, p.Title)
			}
			return show.Table(c.Stdout, "NAME\tOFFER\tPRICE\tMIN\tMAX\tWARN AT\tGRACE\tDEEP\tHOSTS\tLEFT\tENFORCER\tTITLE", rows)
		},
	}
}

func planWithdrawCmd(c commands) *cobra.Command {
	return &cobra.Command{
		Use:               "withdraw NAME",
		Short:             "Take a plan off the offer; what was sold runs on",
		Example:           "  sandglass plan withdraw small",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.CompletePlans,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			plan, err := cl.Withdraw(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.JSON {
				return show.JSON(c.Stdout, plan)
			}
			return c.printPlan(plan)
		},
	}
}

func (c commands) printPlan(p wire.Plan) error {
	return show.Facts(c.Stdout,
		"plan", p.Name+" ("+offer(&p)+")",
		"title", p.Title,
		"price", show.Price(money.Price(p.Price)),
		"one payment buys", p.Min.InUnits()+" to "+p.Max.InUnits(),
		"warns at", warning(p.Warn),
		"grace", p.Grace.InUnits(),
		"bills", billing(&p),
		"paused at most", bound(p.MaxPause),
		"on the chain", deeper(p.Deep),
		"hosts", strings.Join(p.Hosts, ", "),
		"can be had", available(&p),
		"parameters", declared(p.Params),
		"enforcer", p.Enforcer)
}

// declared says what an order may set.
func declared(list []wire.Param) string {
	texts := make([]string, len(list))
	for i, p := range list {
		of := param.Param{
			Name: p.Name, Required: p.Required, Max: p.Max, Lines: p.Lines, Choices: p.Choices, Default: p.Default,
		}
		texts[i] = of.String()
	}
	return strings.Join(texts, " ")
}

// available says how many of a plan can be had now, where that is bounded.
func available(p *wire.Plan) string {
	if p.Available == nil {
		return ""
	}
	return fmt.Sprintf("%d (%d a host)", *p.Available, p.Capacity)
}

func offer(p *wire.Plan) string {
	if p.OnOffer {
		return "on offer"
	}
	return "withdrawn"
}

func warning(w *wire.Warn) string {
	switch {
	case w == nil:
		return ""
	case w.Time > 0:
		return w.Time.InUnits()
	case w.Amount > 0:
		return show.Amount(w.Amount)
	case w.Share > 0:
		return money.Percent(w.Share)
	}
	return ""
}

// billing says which time of a plan is billed, where it is not all.
func billing(p *wire.Plan) string {
	if p.Bill != uptime {
		return ""
	}
	said := "uptime"
	if p.StartWithin > 0 {
		said += ", to be up within " + p.StartWithin.InUnits()
	}
	if p.MaxOutage > 0 {
		said += ", down at most " + bound(p.MaxOutage)
	}
	if p.Hold {
		said += "; the first payment is held until it is up"
	}
	return said
}

func bound(most instant.Millis) string {
	if most == 0 {
		return ""
	}
	return most.InUnits() + " in 30 days"
}

// deeper says above which amount a plan asks for how many confirmations.
func deeper(d *wire.Deep) string {
	switch {
	case d == nil:
		return ""
	case d.Above == 0:
		return show.Count(d.Confirmations, "confirmation")
	}
	return show.Count(d.Confirmations, "confirmation") + " above " + show.Amount(d.Above)
}
