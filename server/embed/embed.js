// Shows a sign-up form of Audience on any site:
//   <script async src="https://audience.example.com/embed.js" data-form="frm_..."></script>
// Everything lives in a shadow root with a constructed style sheet, so that the site's
// styles and a strict Content-Security-Policy are no obstacle. No cookie is set.
(() => {
  "use strict";

  const DRAFT_DAYS = 7;
  const RETRY_SECONDS = [3, 10, 30, 90];
  const DAY = 864e5;

  const STYLE = `
:host { all: initial; display: block; --c: #fff; --i: #16181d; --s: #565b66; --l: #8b909c; --e: #b3261e;
  --a: var(--audience-accent, #1d4ed8); --o: var(--audience-on-accent, #fff); }
:host([data-over]) { display: contents; }
:host([data-theme=dark]) { --c: #1b1e24; --i: #eef0f4; --s: #b3b8c2; --l: #7b818d; --e: #ffb4ab;
  --a: var(--audience-accent-dark, #8fb4ff); --o: var(--audience-on-accent-dark, #0b1530); }
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.card { position: relative; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--i);
  background: var(--c); border: 0; border-radius: 16px; padding: 28px; text-align: start; overflow-wrap: anywhere; }
.inline { border: 1px solid color-mix(in srgb, var(--l) 45%, transparent); max-width: 480px; }
:host([data-bare]) .inline { border: 0; padding: 0; max-width: none; background: none; border-radius: 0; }
.popup { width: min(440px, calc(100vw - 32px)); max-height: calc(100dvh - 32px); margin: auto; overflow: auto; }
.full { width: 100vw; height: 100dvh; max-width: none; max-height: none; border-radius: 0; overflow: auto;
  padding: max(28px, 12vh) max(24px, calc(50vw - 240px)); }
.flyout { position: fixed; z-index: 2147483000; inset: auto 16px 16px auto; width: min(380px, calc(100vw - 32px));
  max-height: calc(100dvh - 32px); overflow: auto; }
.popup, .flyout { box-shadow: 0 2px 8px rgb(0 0 0 / .16), 0 16px 48px rgb(0 0 0 / .28); }
:host([data-theme=dark]) :is(.popup, .flyout) { border: 1px solid #3a3f49; }
.popup::backdrop { background: rgb(10 12 16 / .6); }
.title { font-size: 24px; line-height: 1.2; letter-spacing: -.01em; font-weight: 700; margin: 0 0 10px; text-wrap: balance; outline: 0; }
.over .title { padding-inline-end: 36px; }
p { margin: 0 0 16px; }
.lines { white-space: pre-line; }
.soft { color: var(--s); font-size: 14px; font-weight: 400; }
form:first-child { margin-top: 18px; }
.field { margin: 0 0 16px; }
label, legend { display: block; padding: 0; font-weight: 600; font-size: 15px; margin: 0 0 5px; }
fieldset { border: 0; padding: 0; margin: 0 0 16px; min-width: 0; }
input, select { font: inherit; color: inherit; background: transparent; width: 100%; min-height: 46px; margin: 0;
  padding: 8px 12px; border: 1px solid var(--l); border-radius: 8px; color-scheme: light; }
select { appearance: none; padding-inline-end: 36px; background: linear-gradient(45deg, #0000 50%, currentcolor 50%) calc(100% - 18px) 52% / 6px 6px no-repeat,
  linear-gradient(-45deg, #0000 50%, currentcolor 50%) calc(100% - 12px) 52% / 6px 6px no-repeat; }
::placeholder { color: var(--s); opacity: 1; }
option { color: var(--i); background: var(--c); }
[aria-invalid=true] { border: 2px solid var(--e); }
.check { display: flex; gap: 11px; align-items: start; font-weight: 400; font-size: 14px; margin: 0 0 10px; }
.check input { width: 20px; height: 20px; min-height: 0; margin: 1px 0 0; flex: none; accent-color: var(--a); }
.error { color: var(--e); font-size: 14px; margin: 5px 0 0; }
.general { margin: 0 0 12px; }
.general:empty { display: none; }
.send { font: inherit; font-weight: 600; width: 100%; min-height: 46px; padding: 8px 20px; border: 1px solid transparent;
  border-radius: 8px; background: var(--a); color: var(--o); cursor: pointer; }
.send:hover { filter: brightness(1.1); }
.send[aria-disabled=true] { opacity: .65; cursor: progress; }
.consent { margin: 14px 0 0; }
.full .title { font-size: 30px; }
.close { position: absolute; inset: 14px 14px auto auto; width: 40px; height: 40px; padding: 0; border: 0;
  border-radius: 8px; background: none; color: var(--s); font: 26px/1 system-ui, sans-serif; cursor: pointer; }
.close:hover { color: var(--i); background: color-mix(in srgb, var(--l) 22%, #0000); }
:focus-visible { outline: 3px solid var(--a); outline-offset: 2px; }
.title:focus-visible, .thanks:focus-visible { outline: 0; }
.thanks { margin: 0; font-size: 17px; }
.done .title::before { content: "\\2713" / ""; display: grid; place-items: center; width: 48px; height: 48px; margin: 0 0 14px;
  border-radius: 50%; background: var(--a); color: var(--o); font-size: 24px; font-weight: 700; line-height: 1; }
.trap { position: absolute; left: -9999px; width: 1px; height: 1px; overflow: hidden; }
@media (max-width: 480px) { .card { padding: 22px 18px; }
  .flyout { inset: auto 8px 8px 8px; width: auto; } }
:host([data-theme=dark]) :is(input, select) { color-scheme: dark; }
@media (prefers-reduced-motion: no-preference) {
  .popup, .flyout { animation: in .22s ease-out; }
  @keyframes in { from { opacity: 0; transform: translateY(10px); } } }
`;

  const own = document.currentScript;
  const scripts = own ? [own] : document.querySelectorAll("script[data-form]:not([data-shown])");
  for (const each of scripts) start(each);

  async function start(script) {
    const id = script.dataset.form;
    if (!id || isShown(id)) return;
    script.dataset.shown = "";
    const at = new URL("f/" + encodeURIComponent(id), new URL(".", script.src));
    let form;
    try {
      form = await load(at);
    } catch {
      return; // Not live, or not within reach: the page stays as it is.
    }
    const isOver = form.kind !== "EMBED" && !script.dataset.into;
    if (isOver) {
      const wanted = fits(form.targeting) && isDue(form);
      if (!wanted) return;
      await moment(form.targeting);
      if (isShown(form.id)) return; // by another script of this page
      remember(form.id, "seen", Date.now());
    }
    show(script, form, at, isOver);
    if (!("counted" in script.dataset)) {
      fetch(at + "/view", { method: "POST", keepalive: true, credentials: "omit" }).catch(() => {});
    }
  }

  function isShown(id) {
    return document.querySelector(`[data-audience-form="${CSS.escape(id)}"]`) !== null;
  }

  async function load(at) {
    const answer = await fetch(at + "/form", { credentials: "omit" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  // ------------------------------------------------------------- when

  function fits({ urlContains, urlExcludes }) {
    const has = (part) => location.href.includes(part);
    return (!urlContains.length || urlContains.some(has)) && !urlExcludes.some(has);
  }

  function isDue({ id, targeting }) {
    if (recall(id, "done")) return false;
    const seen = recall(id, "seen");
    return !seen || Date.now() - seen >= targeting.frequencyDays * DAY;
  }

  function moment({ delaySeconds, scrollPercent, onExitIntent }) {
    const waits = [new Promise((go) => setTimeout(go, delaySeconds * 1000))];
    if (scrollPercent) waits.push(scrolled(scrollPercent));
    if (onExitIntent) waits.push(leaving());
    return Promise.all(waits);
  }

  function scrolled(percent) {
    return new Promise((go) => {
      const look = () => {
        const page = document.documentElement;
        const room = page.scrollHeight - innerHeight;
        if (room > 0 && (scrollY / room) * 100 < percent - 0.5) return;
        removeEventListener("scroll", look);
        go();
      };
      addEventListener("scroll", look, { passive: true });
      look();
    });
  }

  function leaving() {
    return new Promise((go) => {
      let last = scrollY;
      let then = Date.now();
      const out = (event) => event.relatedTarget || event.clientY > 0 || end();
      const up = () => {
        const now = Date.now();
        if (now - then > 120) {
          if (last - scrollY > 90 && matchMedia("(hover: none)").matches) end();
          last = scrollY;
          then = now;
        }
      };
      const end = () => {
        document.removeEventListener("mouseout", out);
        removeEventListener("scroll", up);
        go();
      };
      document.addEventListener("mouseout", out);
      addEventListener("scroll", up, { passive: true });
    });
  }

  // ------------------------------------------------------------- what

  function show(script, form, at, isOver) {
    const host = make("div", { "data-audience-form": form.id });
    if (isOver) host.dataset.over = "";
    const root = host.attachShadow({ mode: "open" });
    dress(root);

    const title = make(script.dataset.into ? "h1" : "h2", { class: "title", id: "title", tabindex: "-1" }, form.title);
    const content = make("div", {}, form.body && make("p", { class: "lines" }, form.body));
    const isModal = isOver && form.kind !== "FLYOUT";
    const look = !isOver ? "inline" : form.kind === "FLYOUT" ? "flyout" : form.kind === "POPUP" ? "popup" : "full";
    const card = make(isModal ? "dialog" : "section", {
      class: `card ${look}${isOver ? " over" : ""}`,
      "aria-labelledby": "title",
      role: look === "flyout" ? "dialog" : null,
    }, title, content);
    const close = () => {
      if (isModal) card.close();
      host.remove();
    };
    content.append(fill(script, form, at, root, content));
    if (isOver) {
      const button = make("button", { class: "close", type: "button", "aria-label": "Close" }, "×");
      button.onclick = close;
      card.append(button);
      card.addEventListener("keydown", (event) => {
        if (event.key === "Escape") {
          event.preventDefault();
          event.stopPropagation();
          close();
        } else if (event.key === "Tab" && isModal) {
          keepFocus(event, root, card, title);
        }
      });
      card.addEventListener("cancel", (event) => {
        event.preventDefault();
        close();
      });
      if (isModal) card.addEventListener("mousedown", (event) => event.target === card && isOutside(event, card) && close());
    }
    root.append(card);
    place(script, host, isOver);
    host.dataset.theme = script.dataset.theme || theme(host.parentElement);
    if (isModal) {
      card.showModal();
      title.focus();
    }
  }

  function place(script, host, isOver) {
    const into = script.dataset.into && document.getElementById(script.dataset.into);
    if (into) {
      if (!script.dataset.theme) host.dataset.bare = "";
      into.replaceChildren(host);
    } else if (isOver || script.closest("head")) document.body.append(host);
    else script.after(host);
  }

  function dress(root) {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
    } catch {
      root.append(make("style", {}, STYLE)); // Browsers from before 2023.
    }
  }

  // Light or dark like the page around it: many pages have one look only.
  function theme(element) {
    for (let each = element; each; each = each.parentElement) {
      const { light, alpha } = colour(getComputedStyle(each).backgroundColor);
      if (alpha > 0.5) return light < 110 ? "dark" : "light";
    }
    // Nothing painted: then the browser's own canvas, whose text tells.
    const probe = make("span", {});
    probe.style.color = "CanvasText";
    document.body.append(probe);
    const { light } = colour(getComputedStyle(probe).color);
    probe.remove();
    return light > 140 ? "dark" : "light";
  }

  function colour(text) {
    const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    return { light: red * 0.3 + green * 0.59 + blue * 0.11, alpha };
  }

  function isOutside(event, card) {
    const box = card.getBoundingClientRect();
    const { clientX: x, clientY: y } = event;
    return x < box.left || x > box.right || y < box.top || y > box.bottom;
  }

  function keepFocus(event, root, card, title) {
    const stops = [...card.querySelectorAll("button, input, select")].filter((each) => each.tabIndex >= 0 && each.offsetParent);
    const first = stops[0];
    const last = stops[stops.length - 1];
    const now = root.activeElement;
    if (event.shiftKey ? now === first || now === title : now === last) {
      event.preventDefault();
      (event.shiftKey ? last : first).focus();
    }
  }

  // ------------------------------------------------------------- filling in, sending

  function fill(script, form, at, root, content) {
    const inputs = new Map();
    const alert = make("p", { class: "error general", role: "alert" });
    const send = make("button", { class: "send", type: "submit" }, form.buttonLabel);
    const trap = make("input", { tabindex: "-1", autocomplete: "off" });
    const boxes = form.consents.length > 1 ? form.consents.map(box) : [];
    const choice = make("fieldset", { "aria-describedby": "channels-error" },
      make("legend", {}, "How may we write to you?"),
      ...boxes.map(({ label }) => label),
      make("p", { class: "error", id: "channels-error", role: "alert", hidden: "" }));
    const element = make("form", { novalidate: "" },
      make("div", { class: "trap", "aria-hidden": "true" }, make("label", {}, "Leave this empty", trap)),
      ...form.fields.map((field) => row(field, inputs)),
      boxes.length > 0 && choice,
      alert,
      send,
      !boxes.length && make("p", { class: "soft lines consent" }, form.consents[0].text));

    let isBusy = false;
    let attempt = 0;
    let timer = 0;
    let waits = false;
    let isKept = restore();
    element.addEventListener("input", () => isKept && keep());
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt = 0;
      deliver();
    });
    addEventListener("online", () => waits && deliver());
    return element;

    function read() {
      return {
        values: Object.fromEntries([...inputs].map(([target, input]) => [target, input.value])),
        channels: boxes.filter(({ input }) => input.checked).map(({ channel }) => channel),
      };
    }

    function keep() {
      isKept = true;
      remember(form.id, "draft", { at: Date.now(), consents: form.consents, ...read() });
    }

    function restore() {
      const draft = recall(form.id, "draft");
      if (!draft) return false;
      if (Date.now() - draft.at > DRAFT_DAYS * DAY) {
        forget(form.id, "draft");
        return false;
      }
      for (const [target, input] of inputs) input.value = draft.values[target] || "";
      const isSame = isOneAsk(draft.consents, form.consents);
      for (const { input, channel } of boxes) input.checked = isSame && draft.channels.includes(channel);
      alert.textContent = "What you typed before is still here.";
      return true;
    }

    async function deliver(isRenewed) {
      clearTimeout(timer);
      waits = false;
      if (isBusy) return;
      const given = read();
      if (!isComplete(given)) return;
      busy(true);
      let answer;
      let told = {};
      try {
        answer = await fetch(at, {
          method: "POST",
          credentials: "omit",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({
            values: given.values,
            channels: boxes.length ? given.channels : null,
            token: form.token,
            trap: trap.value,
            anonymousId: script.dataset.anonymousId || null,
          }),
        });
        told = await answer.json();
      } catch {
        // Answered below: no answer, or none that can be read.
      }
      const errors = (told && told.errors) || [];
      if (!isRenewed && errors.some(({ code, path }) => code === "CONFLICT" || path[0] === "token")) return renew();
      busy(false);
      if (answer && answer.ok && told.status) return thank(told);
      if (answer && answer.status < 500 && answer.status !== 429 && errors.length) return blame(errors);
      later(answer && answer.status === 429 ? Number(answer.headers.get("Retry-After")) : 0);
    }

    // The form was open for too long, or sent very quickly: a new token, and a moment. But
    // nobody agrees to what they have not seen.
    async function renew() {
      try {
        const fresh = await load(at);
        if (!isOneAsk(fresh.consents, form.consents)) return showAnew(fresh);
        form.token = fresh.token;
        await new Promise((go) => setTimeout(go, form.fillSeconds * 1000 + 100));
      } catch {
        busy(false);
        return later(0);
      }
      busy(false);
      return deliver(true);
    }

    function showAnew(fresh) {
      keep();
      const next = fill(script, fresh, at, root, content);
      element.replaceWith(next);
      next.querySelector(".general").textContent = "What this form asks you to agree to has changed: look at it anew, and send it again.";
      next.querySelector(".send").focus();
    }

    function later(seconds) {
      keep();
      waits = true;
      const wait = seconds || RETRY_SECONDS[attempt++];
      alert.textContent = wait
        ? "This could not be sent yet. What you typed is kept, and will be sent again in a moment."
        : "This could not be sent. What you typed is kept: please try again later.";
      if (wait) timer = setTimeout(deliver, wait * 1000);
    }

    function isComplete({ values, channels }) {
      const errors = form.fields
        .filter(({ isRequired, target }) => isRequired && !values[target].trim())
        .map(({ target, kind }) => ({ path: ["values", target], message: kind === "CHOICE" ? "Please choose one." : "Please fill this in." }));
      if (boxes.length && !channels.length) errors.push({ path: ["channels"], message: "Choose at least one way in which we may write to you." });
      blame(errors);
      return !errors.length;
    }

    function blame(errors) {
      alert.textContent = "";
      for (const [target, input] of inputs) mark(target, input, null);
      const line = choice.querySelector(".error");
      line.hidden = true;
      let first;
      let isMarked = false;
      const loose = [];
      for (const { path, message } of errors) {
        const input = path[0] === "values" && inputs.get(path[1]);
        if (input) {
          mark(path[1], input, message);
          isMarked = true;
        } else if (path[0] === "channels" && boxes.length) {
          line.textContent = message;
          line.hidden = false;
        } else loose.push(message);
        first = first || input || (path[0] === "channels" && boxes.length && boxes[0].input);
      }
      alert.textContent = loose.join(" ") || (isMarked ? "Please look at what is marked." : "");
      if (first) first.focus();
    }

    function mark(target, input, message) {
      const line = root.getElementById(`error-${target}`);
      line.textContent = message || "";
      line.hidden = !message;
      message ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
    }

    function busy(is) {
      isBusy = is;
      send.setAttribute("aria-disabled", String(is));
    }

    function thank({ message, redirectUrl }) {
      forget(form.id, "draft");
      remember(form.id, "done", Date.now());
      document.dispatchEvent(new CustomEvent("audience:submitted", { detail: { form: form.id } }));
      if (redirectUrl) return location.assign(redirectUrl);
      const thanks = make("p", { class: "thanks lines", role: "status", tabindex: "-1" }, message);
      content.replaceChildren(thanks);
      content.parentNode.classList.add("done");
      return thanks.focus();
    }
  }

  function row({ kind, label, target, isRequired, options, type, fill: hint }, inputs) {
    const name = `field-${target}`;
    const common = { id: name, "aria-describedby": `error-${target}`, "aria-required": isRequired ? "true" : null };
    const input = kind === "CHOICE"
      ? make("select", common, make("option", { value: "" }, "Please choose"), ...options.map((each) => make("option", {}, each)))
      : make("input", { ...common, type, autocomplete: hint, placeholder: kind === "PHONE" ? "+1 415 555 0132" : null });
    inputs.set(target, input);
    return make("div", { class: "field" },
      make("label", { for: name }, label, !isRequired && make("span", { class: "soft" }, " (optional)")),
      input,
      make("p", { class: "error", id: `error-${target}`, hidden: "" }));
  }

  function box({ channel, text }) {
    const input = make("input", { type: "checkbox" });
    return { channel, input, label: make("label", { class: "check" }, input, make("span", { class: "lines" }, text)) };
  }

  // Whether two forms ask for the same consents in the same words.
  function isOneAsk(some, others) {
    return JSON.stringify(some) === JSON.stringify(others);
  }

  // ------------------------------------------------------------- small things

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children.filter(Boolean));
    return element;
  }

  // Storage may be forbidden or full; the form works without.
  function remember(id, what, value) {
    try {
      localStorage.setItem(`audience:${id}:${what}`, JSON.stringify(value));
    } catch { /* as said */ }
  }

  function recall(id, what) {
    try {
      return JSON.parse(localStorage.getItem(`audience:${id}:${what}`));
    } catch {
      return null;
    }
  }

  function forget(id, what) {
    try {
      localStorage.removeItem(`audience:${id}:${what}`);
    } catch { /* as said */ }
  }
})();
