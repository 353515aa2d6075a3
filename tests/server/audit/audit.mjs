// Asks a running server the public audit of GraphQL over HTTP; `scripts/audit` runs it.
import { auditServer } from "graphql-http";
const results = await auditServer({ url: process.argv[2] });
const bad = results.filter((r) => r.status !== "ok");
for (const { id, name, status, reason } of bad) console.log(status, id, name, "-", reason);
console.log(`${results.length - bad.length} of ${results.length} audits pass.`);
process.exit(bad.length ? 1 : 0);
