// Alby's client buys in the request, by L402 or Payment, as its own documents say: what is to be paid it has paid
// by a wallet, at which it posts the invoice. With credentials of an earlier purchase it never pays.
//
//     fetch402.mjs POST https://host.example/v1/buy '{"plan":"small","time_ms":7200000}' http://127.0.0.1:1234
//     fetch402.mjs GET https://host.example/v1/resources/vm-1 '' http://127.0.0.1:1234 '{"header":…,"value":…}'
import process from "node:process";
import { fetch402 } from "@getalby/lightning-tools";
import { print } from "./host.mjs";

const [method, url, body, at, credentials] = process.argv.slice(2);
const wallet = {
  payInvoice: async ({ invoice }) => {
    const paid = await fetch(at, { method: "POST", body: invoice });
    if (!paid.ok) {
      throw new Error(await paid.text());
    }
    return paid.json();
  },
};
const args = { method };
if (body) {
  args.body = body;
}
try {
  const res = await fetch402(url, args, { wallet, credentials: credentials && JSON.parse(credentials) });
  print({
    status: res.status,
    paid: res.payment?.paid ?? false,
    sat: res.payment?.amountSat ?? 0,
    credentials: res.payment?.credentials ?? null,
    challenge: res.headers.get("www-authenticate") ?? "",
    retry_after: res.headers.get("retry-after") ?? "",
    body: await res.text(),
  });
} catch (e) {
  if (e.name !== "Fetch402InterruptedError") {
    throw e;
  }
  print({ interrupted: true, paid: e.paid, sat: e.amountSat, credentials: e.credentials ?? null });
}
