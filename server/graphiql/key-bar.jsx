// The bar above the editor: whose key is in use, and a field to set or forget it.
import { useState } from "react";

export function KeyBar({ viewer, onKeep, onForget }) {
  const [text, setText] = useState("");
  if (viewer.state === "known") {
    return (
      <Bar>
        <p role="status">
          Key <strong>{viewer.name}</strong>
        </p>
        <button type="button" onClick={onForget}>
          Forget key
        </button>
      </Bar>
    );
  }
  return (
    <>
      <Bar>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (text.trim()) onKeep(text);
          }}
        >
          <input
            type="password"
            aria-label="API key"
            placeholder="API key: sk_…"
            autoComplete="off"
            spellCheck="false"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <button type="submit">Use key</button>
        </form>
      </Bar>
      <p className="notice" role="alert">
        {viewer.state === "refused"
          ? `The key kept in this browser does not work: ${viewer.message} `
          : "Queries need an API key. "}
        The first one was printed when the server started for the first time;{" "}
        <code>audience key create NAME</code> makes another. The documentation at the left
        can be read without.
      </p>
    </>
  );
}

function Bar({ children }) {
  return (
    <header className="bar">
      <h1>
        Audience <span>GraphiQL</span>
      </h1>
      {children}
    </header>
  );
}
