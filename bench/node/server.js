// What both servers share: the schema, the key, the processes.

import cluster from "node:cluster";
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { GraphQLScalarType } from "graphql";

export const PORT = Number(process.env.BENCH_PORT);
export const SCHEMA = readFileSync(new URL("schema.graphql", import.meta.url), "utf8");

export const scalars = {
  DateTime: new GraphQLScalarType({
    name: "DateTime",
    serialize: (value) => value.toISOString(),
  }),
  JSON: new GraphQLScalarType({ name: "JSON", serialize: (value) => value }),
};

const expected = digest(`Bearer ${process.env.AUDIENCE_ADMIN_KEY}`);

export function isAllowed(header) {
  return timingSafeEqual(digest(header ?? ""), expected);
}

// Runs `serve` in this process, or in as many as are asked for.
export async function start(serve) {
  const processes = Number(process.env.BENCH_PROCESSES);
  if (processes > 1 && cluster.isPrimary) {
    for (let number = 0; number < processes; number += 1) cluster.fork();
    process.on("SIGTERM", () => process.exit(0));
  } else {
    await serve();
  }
}

function digest(text) {
  return createHash("sha256").update(text).digest();
}
