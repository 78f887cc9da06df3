// Bundles src/ and three.js into ../static/viewer.js, one ES module without outside addresses.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const three = join(here, "node_modules", "three");
const version = JSON.parse(readFileSync(join(three, "package.json"), "utf8")).version;
const outfile = join(here, "..", "static", "viewer.js");

// The digest lets a test notice a source that was changed and not built.
const digest = createHash("sha256");
for (const name of readdirSync(join(here, "src")).sort()) digest.update(readFileSync(join(here, "src", name)));

await build({
  entryPoints: [join(here, "src", "index.js")],
  outfile,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2020",
  loader: { ".css": "text" },
  legalComments: "none",
  banner: { js: `/* facerecon viewer, Apache-2.0; three.js ${version}, MIT, see three.LICENSE.txt. Source ${digest.digest("hex")} */` },
});
copyFileSync(join(three, "LICENSE"), join(here, "..", "static", "three.LICENSE.txt"));
console.log(`${outfile}: ${(statSync(outfile).size / 1000).toFixed(0)} kB`);
