// Runs the Khronos glTF validator on the files given; prints one JSON report an array.
// Install with: npm install --prefix tests/export   (or point NODE_PATH at the package)
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const validator = createRequire(import.meta.url)("gltf-validator");
const reports = [];
for (const path of process.argv.slice(2)) {
  const report = await validator.validateBytes(new Uint8Array(readFileSync(path)), { uri: path });
  reports.push({ file: path, ...report.issues, info: report.info });
}
console.log(JSON.stringify(reports));
