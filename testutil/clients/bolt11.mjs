// light-bolt11-decoder reads an invoice.
//
//     bolt11.mjs lnbcrt…
import process from "node:process";
import { decode } from "light-bolt11-decoder";
import { print } from "./host.mjs";

const sections = decode(process.argv[2]).sections;
const of = (name) => sections.find((s) => s.name === name)?.value ?? "";
print({
  msat: Number(of("amount")),
  hash: of("payment_hash"),
  description: of("description"),
  description_hash: of("description_hash"),
  expiry: of("expiry"),
});
