// GraphQL Yoga on Node's own HTTP server, with DataLoader.

import { createServer } from "node:http";
import DataLoader from "dataloader";
import { createSchema, createYoga } from "graphql-yoga";
import * as reads from "./reads.js";
import { subscribe } from "./sign-ups.js";
import { segmentMembers } from "./segments.js";
import { PORT, SCHEMA, isAllowed, scalars, start } from "./server.js";

await start(async () => {
  const db = await reads.connect();
  const byHex = { cacheKeyFn: (id) => id.toHexString() };

  // Loaders of one request; those for events by their arguments.
  function context() {
    const events = new Map();
    return {
      lists: new DataLoader((ids) => reads.listsById(db, ids), byHex),
      metrics: new DataLoader((ids) => reads.metricsById(db, ids), byHex),
      events({ first, filter }) {
        const key = JSON.stringify([first, filter]);
        if (!events.has(key)) {
          const load = (profiles) => reads.eventPages(db, profiles, first, filter);
          events.set(key, new DataLoader(load, { cacheKeyFn: ({ id }) => id }));
        }
        return events.get(key);
      },
    };
  }

  const yoga = createYoga({
    logging: false,
    maskedErrors: false,
    graphiql: false,
    landingPage: false,
    context,
    schema: createSchema({
      typeDefs: SCHEMA,
      resolvers: {
        ...scalars,
        Query: {
          profile: (_, { by }) => reads.profileBy(db, by),
          profiles: (_, { first }) => reads.profilePage(db, first),
          segment: (_, { id }) => reads.segmentById(db, id),
        },
        Mutation: { subscribe: (_, { input }) => subscribe(db, input) },
        Profile: {
          lists: (profile, { first }) => reads.memberships(profile, first),
          events: (profile, asked, { events }) => events(asked).load(profile),
        },
        ListMembership: { list: ({ listId }, _, { lists }) => lists.load(listId) },
        Event: { metric: ({ metricId }, _, { metrics }) => metrics.load(metricId) },
        Segment: { members: (segment, { first }) => segmentMembers(db, segment, first) },
      },
    }),
  });
  createServer((request, response) => {
    if (request.url === "/health/live") {
      response.end();
    } else if (!isAllowed(request.headers.authorization)) {
      response.writeHead(401).end();
    } else {
      yoga(request, response);
    }
  }).listen(PORT, "127.0.0.1");
});
