// Fetches this page periodically and replaces what has changed. Other nodes are kept, and with them
// focus, selection, scroll positions, and what the user opened or closed.
(() => {
  "use strict";
  if (location.protocol === "file:") return; // a saved page has no agent
  const INTERVAL_MS = 5000, TIMEOUT_MS = 4000;
  const PARTS = [":summary", ":moment", ":clusters", ":main", ":footer"];
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement, pause = byId(":pause");
  const chosen = new WeakSet(); // details that the user opened or closed
  let answeredAt = Date.now(), title = document.title, timer = 0, away = "", refreshing = false, paused = false;

  function morph(old, wanted) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== wanted.data) old.data = wanted.data;
      return;
    }
    const keeps = (name) => name === "open" && chosen.has(old);
    for (const name of old.getAttributeNames())
      if (!wanted.hasAttribute(name) && !keeps(name)) old.removeAttribute(name);
    for (const name of wanted.getAttributeNames()) {
      const value = wanted.getAttribute(name);
      if (old.getAttribute(name) !== value && !keeps(name)) old.setAttribute(name, value);
    }
    const known = new Map();
    for (const child of old.children) if (key(child)) known.set(key(child), child);
    let at = old.firstChild;
    for (const next of wanted.childNodes) {
      const name = next.nodeType === Node.ELEMENT_NODE ? key(next) : "";
      const same = name ? known.get(name) : at && !key(at) && at.nodeName === next.nodeName ? at : null;
      if (!same) {
        old.insertBefore(document.importNode(next, true), at);
        continue;
      }
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      morph(same, next);
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  }

  // A list item is identified by its first child: the order of servers changes when one goes out.
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

  function showStatus() {
    root.classList.toggle("away", Boolean(away));
    byId(":away").hidden = !away;
    if (byId(":away-text").textContent !== away) byId(":away-text").textContent = away;
    document.title = away ? "? no answer - ldaphealth" : title;
    const seconds = Math.max(0, Math.round((Date.now() - answeredAt) / 1000));
    const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    const [unit, size] = units.find((each) => seconds >= each[1]) || units[3];
    byId(":last").textContent = `${Math.floor(seconds / size)} ${unit}`;
  }

  async function refresh() {
    if (refreshing) return;
    refreshing = true;
    clearTimeout(timer);
    try {
      const answer = await fetch(location.pathname + location.search, {
        cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!answer.ok) throw new Error(`The agent answered with status ${answer.status}.`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!page.getElementById(":summary")) throw new Error("The answer is not a page of the agent.");
      answeredAt = Date.now();
      away = "";
      if (!paused) show(page);
    } catch (error) {
      // the messages of fetch's TypeError and TimeoutError differ between browsers
      away = error.constructor === Error ? error.message : "The agent does not answer.";
    }
    refreshing = false;
    showStatus();
    schedule();
  }

  function schedule() {
    clearTimeout(timer);
    if (!document.hidden && !paused) timer = setTimeout(refresh, INTERVAL_MS);
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
    else if (!paused) refresh();
  });
  addEventListener("hashchange", reveal);
  addEventListener("pageshow", (event) => { if (event.persisted) refresh(); });
  setInterval(() => { if (away && !document.hidden) showStatus(); }, 1000);
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Paused: resume" : "Pause";
    if (paused) clearTimeout(timer);
    else refresh();
  });
  reveal();
  schedule();
})();
