// Reads an AsyncAPI document on standard input, prints what the official parser finds, exits 1 on an error.
// The folder with node_modules is given as the first argument.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.argv[2]}/package.json`);
const { Parser } = require("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
for (const { severity, code, path, message } of diagnostics) {
  console.log(`${["error", "warning", "info", "hint"][severity]} ${code} at ${path.join("/")}: ${message}`);
}
if (document === undefined) {
  process.exit(1);
}
console.log(`${document.version()}: ${document.channels().length} channels, ${document.operations().length} operations`);
