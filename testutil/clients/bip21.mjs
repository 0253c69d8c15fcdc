// bip21 takes a link apart.
//
//     bip21.mjs 'bitcoin:bc1q…?amount=0.001&lightning=lnbc…'
import process from "node:process";
import { decode } from "bip21";
import { print } from "./host.mjs";

print(decode(process.argv[2]));
