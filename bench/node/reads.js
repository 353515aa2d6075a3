// The reads of the API on the official driver: the same commands as the Python
// server's, documents shaped for the API as they arrive.

import { MongoClient, ObjectId } from "mongodb";

export async function connect() {
  const client = new MongoClient(process.env.MONGODB_URI, { w: "majority" });
  await client.connect();
  const database = client.db(process.env.AUDIENCE_DATABASE);
  const collection = (name) => database.collection(name);
  return {
    client,
    profiles: collection("profiles"),
    events: collection("events"),
    metrics: collection("metrics"),
    lists: collection("lists"),
    segments: collection("segments"),
    consentChanges: collection("consent_changes"),
  };
}

const PROFILE_FIELDS = { summary: 0, search: 0, epoch: 0 };
const NEWEST_FIRST = { timestamp: -1, _id: -1 };

export async function profilePage(db, first) {
  const rows = await db.profiles
    .find({}, { projection: PROFILE_FIELDS })
    .sort({ _id: -1 })
    .limit(first + 1)
    .toArray();
  return connection(rows.map(profile), first);
}

export async function profileBy(db, by) {
  const match =
    by.id !== undefined
      ? { _id: stored(by.id, "prf") }
      : { email: by.email.trim().toLowerCase() };
  const row = await db.profiles.findOne(match, { projection: PROFILE_FIELDS });
  return row && profile(row);
}

// For each profile one page of its events: limited reads of one index, in one command.
export async function eventPages(db, profiles, first, filter) {
  const match = {};
  if (filter?.metricNames) {
    const metrics = await db.metrics
      .find({ name: { $in: filter.metricNames } }, { projection: { _id: 1 } })
      .toArray();
    match.metric_id = { $in: metrics.map((metric) => metric._id) };
  }
  const rows = await db.profiles
    .aggregate(
      [
        { $match: { _id: { $in: profiles.map(({ stored }) => stored) } } },
        { $project: { _id: 1 } },
        {
          $lookup: {
            from: "events",
            localField: "_id",
            foreignField: "profile_id",
            pipeline: [{ $match: match }, { $sort: NEWEST_FIRST }, { $limit: first + 1 }],
            as: "event",
          },
        },
        { $unwind: "$event" },
        { $replaceRoot: { newRoot: "$event" } },
      ],
      { batchSize: profiles.length * (first + 1) + 1 },
    )
    .toArray();
  const found = new Map(profiles.map(({ stored }) => [stored.toHexString(), []]));
  for (const row of rows) found.get(row.profile_id.toHexString()).push(event(row));
  return profiles.map(({ stored }) => connection(found.get(stored.toHexString()), first));
}

export async function metricsById(db, ids) {
  const rows = await db.metrics.find({ _id: { $in: ids } }).toArray();
  const found = new Map(rows.map((row) => [row._id.toHexString(), metric(row)]));
  return ids.map((id) => found.get(id.toHexString()) ?? null);
}

export async function listsById(db, ids) {
  const rows = await db.lists.find({ _id: { $in: ids }, deleted_at: null }).toArray();
  const found = new Map(rows.map((row) => [row._id.toHexString(), list(row)]));
  return ids.map((id) => found.get(id.toHexString()) ?? null);
}

export async function segmentById(db, id) {
  const row = await db.segments.findOne({ _id: stored(id, "seg") });
  return row && { id, name: row.name, definition: row.definition };
}

// Newest first, as many as asked for.
export function memberships(profile, first) {
  const rows = [...(profile.memberships ?? [])].sort(
    (one, other) =>
      other.joined_at - one.joined_at ||
      (other.list_id.toHexString() < one.list_id.toHexString() ? -1 : 1),
  );
  return connection(
    rows.map((row) => ({
      joinedAt: row.joined_at,
      source: row.source,
      listId: row.list_id,
    })),
    first,
  );
}

export function connection(rows, first) {
  return {
    edges: rows.slice(0, first).map((node) => ({ node })),
    pageInfo: { hasNextPage: rows.length > first },
  };
}

export function stored(id, prefix) {
  return new ObjectId(id.slice(prefix.length + 1));
}

export function profile(row) {
  return {
    id: `prf_${row._id.toHexString()}`,
    stored: row._id,
    email: row.email,
    externalId: row.external_id,
    firstName: row.first_name,
    lastName: row.last_name,
    location: row.location,
    properties: row.properties,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastEventAt: row.last_event_at,
    consent: {
      email: channelConsent(row.consent?.email),
      sms: channelConsent(row.consent?.sms),
    },
    memberships: row.lists,
  };
}

function channelConsent(state) {
  if (!state) return { status: "NEVER_SUBSCRIBED", canReceiveMarketing: false };
  return {
    status: state.status,
    canReceiveMarketing: state.status === "SUBSCRIBED" && !state.suppression,
    consentedAt: state.consented_at,
  };
}

function event(row) {
  return {
    id: `evt_${row._id.toHexString()}`,
    timestamp: row.timestamp,
    value: row.value,
    valueCurrency: row.currency,
    uniqueId: row.unique_id,
    properties: row.properties,
    metricId: row.metric_id,
  };
}

function metric(row) {
  return { id: `met_${row._id.toHexString()}`, name: row.name };
}

function list(row) {
  return { id: `lst_${row._id.toHexString()}`, name: row.name };
}
