// A sign-up to a list with single opt-in, with the guarantees of the API: the profile
// is found or made, and its consent, membership and audit line change together.

import { ObjectId } from "mongodb";
import { stored } from "./reads.js";

export async function subscribe(db, input) {
  const list = await db.lists.findOne({ _id: stored(input.listId, "lst"), deleted_at: null });
  if (!list) return refused("NOT_FOUND", "There is no such list.", ["listId"]);
  const email = input.email?.trim().toLowerCase();
  if (!email || !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email)) {
    return refused("INVALID", "This is not an e-mail address.", ["email"]);
  }
  const now = new Date();
  const profile = await personOf(db, email, now);
  await db.client.withSession((session) =>
    session.withTransaction(() => join(db, profile._id, list, input, now, session)),
  );
  // A list that is deleted meanwhile keeps nobody.
  const still = await db.lists.findOne({ _id: list._id, deleted_at: null }, { projection: { _id: 1 } });
  if (!still) {
    await db.profiles.updateOne({ _id: profile._id }, { $pull: { lists: { list_id: list._id } } });
    return refused("NOT_FOUND", "There is no such list.", ["listId"]);
  }
  return { status: "SUBSCRIBED", userErrors: [] };
}

async function personOf(db, email, now) {
  const match = { email };
  const known = await db.profiles.findOne(match, { projection: { _id: 1 } });
  if (known) return known;
  const local = email.split("@")[0];
  const made = {
    _id: new ObjectId(),
    email,
    properties: {},
    created_at: now,
    updated_at: now,
    search: [...new Set([email, local, ...local.split(/[._+-]/)])],
  };
  try {
    await db.profiles.insertOne(made);
    return made;
  } catch (error) {
    if (error.code !== 11000) throw error;
    return db.profiles.findOne(match, { projection: { _id: 1 } });
  }
}

async function join(db, id, list, input, now, session) {
  const profile = await db.profiles.findOne(
    { _id: id },
    { projection: { consent: 1, email: 1, lists: 1, pending: 1 }, session },
  );
  const before = profile.consent?.email;
  const change = { $set: { updated_at: now } };
  if (before?.status !== "SUBSCRIBED") {
    change.$set["consent.email"] = {
      status: "SUBSCRIBED",
      consented_at: now,
      updated_at: now,
      method: "API",
      source: input.customSource ?? list.name,
      double_opt_in: false,
      ...(before?.suppression && { suppression: before.suppression }),
    };
  }
  if (!profile.lists?.some(({ list_id }) => list_id.equals(list._id))) {
    change.$push = { lists: { list_id: list._id, joined_at: now, source: "API" } };
  }
  await db.profiles.updateOne({ _id: id }, change, { session });
  await db.consentChanges.insertOne(
    {
      profile_id: id,
      channel: "EMAIL",
      from: before?.status ?? "NEVER_SUBSCRIBED",
      to: "SUBSCRIBED",
      at: now,
      recorded_at: now,
      method: "API",
      source: input.customSource ?? list.name,
      consent_text: input.consentText,
      list_id: list._id,
    },
    { session, ignoreUndefined: true },
  );
}

function refused(code, message, path) {
  return { status: null, userErrors: [{ code, message, path }] };
}
