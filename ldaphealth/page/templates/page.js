// Fetches this page again and again and puts what is new in its place. Nodes that stay are kept, and
// with them focus, selection, scroll positions, and what a person opened or closed.
(() => {
  "use strict";
  if (location.protocol === "file:") return; // a page that was saved has nobody to ask
  const EVERY_MS = 5000, PATIENCE_MS = 4000;
  const PARTS = [":summary", ":moment", ":clusters", ":main", ":footer"];
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement, pause = byId(":pause");
  const chosen = new WeakSet(); // details that a person opened or closed
  let seenAt = Date.now(), title = document.title, timer = 0, away = "", looking = false, paused = false;

  function morph(old, wanted) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== wanted.data) old.data = wanted.data;
      return;
    }
    const left = (name) => name === "open" && chosen.has(old);
    for (const name of old.getAttributeNames())
      if (!wanted.hasAttribute(name) && !left(name)) old.removeAttribute(name);
    for (const name of wanted.getAttributeNames()) {
      const value = wanted.getAttribute(name);
      if (old.getAttribute(name) !== value && !left(name)) old.setAttribute(name, value);
    }
    const known = new Map();
    for (const child of old.children) if (key(child)) known.set(key(child), child);
    let at = old.firstChild;
    for (const next of wanted.childNodes) {
      const name = next.nodeType === Node.ELEMENT_NODE ? key(next) : "";
      const mine = name ? known.get(name) : at && !key(at) && at.nodeName === next.nodeName ? at : null;
      if (!mine) {
        old.insertBefore(document.importNode(next, true), at);
        continue;
      }
      if (mine === at) at = at.nextSibling;
      else old.insertBefore(mine, at);
      morph(mine, next);
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  }

  // A list item is known by what it holds: servers change places when one of them goes out.
  function key(node) {
    return node.id || (node.nodeName === "LI" && node.firstElementChild && node.firstElementChild.id) || "";
  }

  function show(page) {
    if (page.documentElement.dataset.build !== root.dataset.build) {
      location.reload(); // another version of the agent
      return;
    }
    const focused = document.activeElement;
    for (const part of PARTS) {
      const old = byId(part), wanted = page.getElementById(part);
      if (old && wanted) morph(old, wanted);
    }
    byId(":icon").href = page.getElementById(":icon").href;
    if (focused && focused !== document.activeElement && focused.isConnected)
      focused.focus({ preventScroll: true });
    title = page.title;
  }

  function tell() {
    root.classList.toggle("away", Boolean(away));
    byId(":away").hidden = !away;
    if (byId(":away-words").textContent !== away) byId(":away-words").textContent = away;
    document.title = away ? "? no answer - ldaphealth" : title;
    const seconds = Math.max(0, Math.round((Date.now() - seenAt) / 1000));
    const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    const [unit, size] = units.find((each) => seconds >= each[1]) || units[3];
    byId(":last").textContent = `${Math.floor(seconds / size)} ${unit}`;
  }

  async function look() {
    if (looking) return;
    looking = true;
    clearTimeout(timer);
    try {
      const answer = await fetch(location.pathname + location.search, {
        cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (!answer.ok) throw new Error(`The agent answers with status ${answer.status}.`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!page.getElementById(":summary")) throw new Error("What answers is not the agent.");
      seenAt = Date.now();
      away = "";
      if (!paused) show(page);
    } catch (error) {
      // fetch says TypeError and TimeoutError in words of its own
      away = error.constructor === Error ? error.message : "The agent does not answer.";
    }
    looking = false;
    tell();
    plan();
  }

  function plan() {
    clearTimeout(timer);
    if (!document.hidden && !paused) timer = setTimeout(look, EVERY_MS);
  }

  function reveal() {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const found = id && byId(id);
    if (found && found.nodeName === "DETAILS") {
      found.open = true;
      chosen.add(found);
    }
  }

  document.addEventListener("click", (event) => {
    const summary = event.target instanceof Element && event.target.closest("summary");
    if (summary) chosen.add(summary.parentElement);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (!paused) look();
  });
  addEventListener("hashchange", reveal);
  addEventListener("pageshow", (event) => { if (event.persisted) look(); });
  setInterval(() => { if (away && !document.hidden) tell(); }, 1000);
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Paused: go on" : "Pause";
    if (paused) clearTimeout(timer);
    else look();
  });
  reveal();
  plan();
})();
