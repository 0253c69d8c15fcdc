// A wallet of Cashu, by cashu-ts as its own documents say. What mints are to be paid it has paid by a wallet, at
// which it posts the invoice; what it is asked for it reads in the answer of 402.
//
//     cashu.mjs mint http://127.0.0.1:3338 10000 http://127.0.0.1:1234     # the proofs
//     cashu.mjs buy '[…]' https://host.example/v1/buy '{"plan":"small","time_ms":7200000}' [header|body]
//     cashu.mjs send cashuB… https://host.example/v1/buy '{…}'             # a token again
import process from "node:process";
import { CashuMint, CashuWallet, decodePaymentRequest, getEncodedTokenV4 } from "@cashu/cashu-ts";
import { print } from "./host.mjs";

const [what, first, second, third, way] = process.argv.slice(2);

const post = async (url, body, headers = {}) => {
  const res = await fetch(url, { method: "POST", body: JSON.stringify(body), headers });
  return { status: res.status, asked: res.headers.get("x-cashu"), body: await res.json() };
};

const open = async (url) => {
  const wallet = new CashuWallet(new CashuMint(url));
  await wallet.loadMint();
  return wallet;
};

if (what === "mint") {
  const wallet = await open(first);
  const quote = await wallet.createMintQuote(Number(second));
  const paid = await fetch(third, { method: "POST", body: quote.request });
  if (!paid.ok) {
    throw new Error(await paid.text());
  }
  print({ proofs: await wallet.mintProofs(Number(second), quote.quote) });
} else if (what === "send") {
  print(await post(second, JSON.parse(third), { "X-Cashu": first }));
} else {
  const demanded = await post(second, JSON.parse(third));
  const asked = decodePaymentRequest(demanded.asked);
  const wallet = await open(asked.mints[0]);
  const { keep, send } = await wallet.send(asked.amount, JSON.parse(first));
  const token = getEncodedTokenV4({ mint: asked.mints[0], proofs: send, unit: asked.unit });
  const got =
    way === "body"
      ? await post(second, { ...JSON.parse(third), cashu: token })
      : await post(second, JSON.parse(third), { "X-Cashu": token });
  const states = await wallet.checkProofsStates(send);
  print({
    ...got,
    demanded: demanded.status,
    amount: asked.amount,
    unit: asked.unit,
    mints: asked.mints,
    token,
    keep,
    fee: wallet.getFeesForProofs(send),
    spent: states.every((s) => s.state === "SPENT"),
    unspent: states.every((s) => s.state === "UNSPENT"),
  });
}
