// The daemon stands in the place of https://host.example, which nobody has.
import process from "node:process";

const real = globalThis.fetch;

export const local = (url) => String(url).replace("https://host.example", process.env.HOST);

globalThis.fetch = (url, init) => real(local(url), init);

// print prints what a script found.
export const print = (found) => process.stdout.write(JSON.stringify(found) + "\n");
