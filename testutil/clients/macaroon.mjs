// macaroon narrows a token by caveats.
//
//     macaroon.mjs AgJC… vm-1_capabilities=status vm-1_valid_until=1700000000
import process from "node:process";
import macaroon from "macaroon";
import { print } from "./host.mjs";

const [token, ...caveats] = process.argv.slice(2);
const narrowed = macaroon.importMacaroon(macaroon.base64ToBytes(token));
for (const caveat of caveats) {
  narrowed.addFirstPartyCaveat(new TextEncoder().encode(caveat));
}
print({ token: macaroon.bytesToBase64(narrowed.exportBinary()) });
