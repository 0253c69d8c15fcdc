// Alby's client pays a Lightning address, and asks whether an invoice of it is settled (LUD-16, LUD-21).
//
//     alby.mjs invoice vm-1@host.example 1234
//     alby.mjs settled lnbc… https://host.example/…
import process from "node:process";
import { Invoice, LightningAddress } from "@getalby/lightning-tools";
import { print } from "./host.mjs";

const [what, first, second] = process.argv.slice(2);
if (what === "invoice") {
  const address = new LightningAddress(first, { proxy: false });
  await address.fetch();
  const { min, max, identifier, description } = address.lnurlpData;
  const invoice = await address.requestInvoice({ satoshi: Number(second) });
  print({
    invoice: invoice.paymentRequest,
    msat: invoice.millisatoshi,
    verify: invoice.verify,
    min,
    max,
    identifier,
    description,
  });
} else {
  const invoice = new Invoice({ pr: first, verify: second });
  const settled = await invoice.isPaid();
  print({ settled, proven: settled && invoice.validatePreimage(invoice.preimage) });
}
