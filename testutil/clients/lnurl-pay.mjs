// lnurl-pay takes a Lightning address, an LNURL or an lnurlp:// link, and checks what it is given.
//
//     lnurl-pay.mjs vm-1@host.example 1234
import process from "node:process";
import { requestInvoice } from "lnurl-pay";
import { local, print } from "./host.mjs";

// fetchGet is what the client asks by, as it documents, in place of axios.
const fetchGet = async ({ url, params }) => {
  const at = new URL(local(url));
  for (const [name, value] of Object.entries(params ?? {})) {
    at.searchParams.append(name, value);
  }
  return (await fetch(at)).json();
};

const [lnUrlOrAddress, tokens] = process.argv.slice(2);
const got = await requestInvoice({ lnUrlOrAddress, tokens: Number(tokens), validateInvoice: true, fetchGet });
print({
  invoice: got.invoice,
  verify: got.rawData.verify ?? "",
  amount: got.hasValidAmount,
  hash: got.hasValidDescriptionHash,
  min: got.params.min * 1000,
  max: got.params.max * 1000,
  identifier: got.params.identifier,
  description: got.params.description,
});
