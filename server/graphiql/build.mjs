// Bundles the editor page and the editor's workers into dist/.
import { rm } from "node:fs/promises";
import { build } from "esbuild";

await rm("dist", { recursive: true, force: true });
await build({
  entryPoints: {
    main: "main.jsx",
    "editor.worker": "monaco-editor/esm/vs/editor/editor.worker.js",
    "graphql.worker": "monaco-graphql/esm/graphql.worker.js",
    "json.worker": "monaco-editor/esm/vs/language/json/json.worker.js",
  },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  jsx: "automatic",
  target: "es2022",
  // The editor asks for Prettier's parsers under old names, which lead to files that
  // are no modules: bundled, they have no parsers.
  alias: {
    "prettier/parser-graphql": "prettier/plugins/graphql",
    "prettier/parser-babel": "prettier/plugins/babel",
  },
  loader: { ".ttf": "file" },
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "linked",
  logLevel: "warning",
});
