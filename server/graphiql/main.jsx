// The page: GraphiQL with the explorer, a bar for the API key, and the examples as tabs.
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createClient } from "graphql-ws";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./page.css";
import { KeyBar } from "./key-bar.jsx";
import { forgetKey, keepKey, keptKey } from "./keys.js";
import { fillIn } from "./examples.js";

const ENDPOINT = "/graphql";

globalThis.MonacoEnvironment = {
  getWorker(_, label) {
    const name = ["graphql", "json"].includes(label) ? label : "editor";
    return new Worker(`/graphiql/${name}.worker.js`, { type: "module" });
  },
};

const key = keptKey();
const authorization = key ? { Authorization: `Bearer ${key}` } : {};
const send = createGraphiQLFetcher({
  url: ENDPOINT,
  headers: authorization,
  wsClient: createClient({
    url: location.origin.replace(/^http/, "ws") + ENDPOINT,
    connectionParams: authorization,
    lazy: true,
  }),
});

// Just after a change of tabs the editor still names the operation of the other tab.
function fetcher({ operationName, ...request }, options) {
  const named = operationName && request.query.includes(operationName);
  return send(named ? { ...request, operationName } : request, options);
}

async function ask(query) {
  const response = await fetch(ENDPOINT, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...authorization },
    body: JSON.stringify({ query }),
  });
  return response.json();
}

async function whose() {
  if (!key) return { state: "none" };
  try {
    const answer = await ask("{ viewer { name } }");
    if (answer.data?.viewer) return { state: "known", name: answer.data.viewer.name };
    return { state: "refused", message: answer.errors?.[0]?.message };
  } catch {
    return { state: "refused", message: "The server does not answer." };
  }
}

// Without a working key nothing is stored, so that the examples are filled in afterwards.
function forgetfulStorage() {
  const kept = new Map();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
    clear: () => kept.clear(),
    get length() {
      return kept.size;
    },
  };
}

const viewer = await whose();
const examples = JSON.parse(document.getElementById("examples").textContent);
const known = viewer.state === "known";
const tabs = await fillIn(examples, known ? ask : null);
const explorer = explorerPlugin({ showAttribution: false });

createRoot(document.getElementById("graphiql")).render(
  <>
    <KeyBar
      viewer={viewer}
      onKeep={(text) => {
        keepKey(text);
        location.reload();
      }}
      onForget={() => {
        forgetKey();
        location.reload();
      }}
    />
    <GraphiQL
      fetcher={fetcher}
      plugins={[HISTORY_PLUGIN, explorer]}
      defaultTabs={tabs}
      defaultEditorToolsVisibility="variables"
      isHeadersEditorEnabled
      inputValueDeprecation
      schemaDescription
      storage={known ? localStorage : forgetfulStorage()}
    >
      <GraphiQL.Logo>
        <span />
      </GraphiQL.Logo>
    </GraphiQL>
  </>,
);
