// Mercurius on Fastify, with its JIT and its own loaders.

import Fastify from "fastify";
import mercurius from "mercurius";
import * as reads from "./reads.js";
import { subscribe } from "./sign-ups.js";
import { segmentMembers } from "./segments.js";
import { PORT, SCHEMA, isAllowed, scalars, start } from "./server.js";

await start(async () => {
  const db = await reads.connect();
  const app = Fastify();
  app.get("/health/live", async () => ({ status: "ok" }));
  app.addHook("onRequest", async (request, reply) => {
    if (request.url === "/graphql" && !isAllowed(request.headers.authorization)) {
      return reply.code(401).send();
    }
  });
  app.register(mercurius, {
    schema: SCHEMA,
    jit: 1,
    resolvers: {
      ...scalars,
      Query: {
        profile: (_, { by }) => reads.profileBy(db, by),
        profiles: (_, { first }) => reads.profilePage(db, first),
        segment: (_, { id }) => reads.segmentById(db, id),
      },
      Mutation: { subscribe: (_, { input }) => subscribe(db, input) },
      Profile: { lists: (profile, { first }) => reads.memberships(profile, first) },
      Segment: { members: (segment, { first }) => segmentMembers(db, segment, first) },
    },
    loaders: {
      Profile: {
        // Every profile of a level asks with the same arguments here.
        events: (queries) =>
          reads.eventPages(
            db,
            queries.map((query) => query.obj),
            queries[0].params.first,
            queries[0].params.filter,
          ),
      },
      ListMembership: {
        list: {
          loader: (queries) => reads.listsById(db, queries.map(({ obj }) => obj.listId)),
          opts: { cache: false },
        },
      },
      Event: {
        metric: {
          loader: (queries) => reads.metricsById(db, queries.map(({ obj }) => obj.metricId)),
          opts: { cache: false },
        },
      },
    },
  });
  await app.listen({ port: PORT, host: "127.0.0.1" });
});
