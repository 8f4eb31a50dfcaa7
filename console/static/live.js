// Sections marked data-live follow what changes: the page is asked for again, and they are replaced by what it has.
const changes = document.body.dataset.changes;
const texts = document.getElementById("said")?.dataset ?? {};
const EVERY = 15_000;
const SOON = 150, LATER = 2_000;
// Scripts make HTML of nothing but this console's own pages.
const policy = globalThis.trustedTypes?.createPolicy("bursar", { createHTML: (text) => text });
globalThis.parsed = (text) => new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
let source, timer, waiting, running = false, failed = 0, over = false;
let topics = new Set(), marks = JSON.parse(document.body.dataset.marks ?? "{}");

const sections = () => [...document.querySelectorAll("[data-live][id]")];
const wanted = (section) => topics.has("*") || section.dataset.live.split(" ").some((topic) => topics.has(topic));
// Never under the caret, an open dialog or a menu.
const inUse = (section) => section.matches(":has(:focus:is(input, textarea, select), dialog[open], details[open].who)");

// Each rendering has new command keys and less time left; scripts open charts to the keyboard and dialogs, and mark what
// was sent: no change by itself.
const plain = (section) =>
  section.outerHTML.replace(
    / name="command" value="[^"]*"| data-left="[^<]*| role="slider"[^>]*| open=""| data-sent=""| aria-(busy|disabled)="true"/g,
    "",
  );

// What the page says of itself while it does not follow: "offline", "gone", or nothing where it does.
const standing = (state) => {
  for (const name of ["offline", "gone"]) {
    const place = document.getElementById(name);
    if (!place || place.hidden === (name !== state)) continue;
    place.hidden = name !== state;
    if (!place.hidden) say(place.innerText);
  }
};

const refresh = async () => {
  if (running || over || document.hidden) return;
  const stale = sections().filter(wanted), asked = topics;
  topics = new Set();
  // "*" asks on a page without sections too: whether its session has ended.
  if (!stale.length && !asked.has("*")) return;
  running = true;
  let again = SOON;
  // What was not answered is asked for again, or the change would never be seen. Once is no outage: a page that is left
  // cuts its last question off.
  const retry = () => {
    for (const topic of asked) topics.add(topic);
    again = LATER;
    failed += 1;
    if (failed > 1 || !navigator.onLine) standing("offline");
  };
  try {
    const answer = await fetch(location.href, { headers: { "X-Background": "1" } });
    if (answer.redirected) {
      // The session has ended: nothing of it stays in view, and signing in leads back here.
      if (new URL(answer.url).pathname === "/console/sign-in") {
        stop();
        location.replace(location.pathname + location.search);
      }
      return;
    }
    if ([403, 404].includes(answer.status) && document.body.dataset.there !== undefined) {
      // Deleted, ended, or not for this reader any more: what is shown stays, and says that it is how it was.
      over = true;
      stop();
      standing("gone");
      return;
    }
    if (!answer.ok) {
      if (answer.status >= 500 || answer.status === 429) retry();
      return;
    }
    failed = 0;
    standing("");
    const page = parsed(await answer.text());
    let count = 0;
    for (const section of stale) {
      const now = page.getElementById(section.id);
      if (!now || plain(now) === plain(section)) continue;
      if (inUse(section)) {
        mark(section);
        continue;
      }
      const fresh = document.importNode(now, true);
      const focused = section.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      section.replaceWith(fresh);
      if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
      fresh.dispatchEvent(new Event("bursar:shown", { bubbles: true }));
      count += 1;
    }
    if (count) say(texts.updated);
  } catch {
    // Offline, or the server restarts.
    retry();
  } finally {
    running = false;
    if (topics.size) soon("", again);
  }
};

const mark = (section) => {
  // An open dialog keeps the page behind it from being seen and read: the line stands in it too, as an alert.
  const dialog = section.querySelector("dialog[open]");
  for (const place of dialog ? [section, dialog] : [section]) {
    if (place.querySelector(":scope > .changed")) continue;
    const line = document.createElement("p");
    line.className = "changed notice busy";
    if (place === dialog) line.role = "alert";
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = texts.changed;
    line.append(link);
    place.prepend(line);
    say(texts.typing);
  }
};

const soon = (topic, wait = SOON) => {
  if (topic) topics.add(topic);
  clearTimeout(waiting);
  waiting = setTimeout(refresh, wait);
};

const poll = () => {
  clearInterval(timer);
  timer = setInterval(() => soon("*"), EVERY);
};

const stop = () => {
  source?.close();
  source = undefined;
  clearInterval(timer);
};

const start = () => {
  stop();
  if (over || document.hidden || changes === undefined) return;
  // A role that follows nothing: its page is asked for now and then, to leave it when the session has ended.
  if (!changes) {
    poll();
    return;
  }
  source = new EventSource(changes);
  source.addEventListener("changed", (event) => soon(JSON.parse(event.data).topic));
  source.addEventListener("open", () => clearInterval(timer));
  // What each topic has come to: those that have moved on since the page was read, or in a gap of the stream, are asked
  // for. Lists have them; an object's page has none and is asked for again, since what it waits for may be done.
  source.addEventListener("marks", (event) => {
    const now = JSON.parse(event.data);
    if (!Object.keys(marks).length && document.getElementById("now")) soon("*");
    for (const topic in now) if (topic in marks && marks[topic] !== now[topic]) soon(topic);
    marks = now;
  });
  // Cut, as when the session ends: look at once. What stays closed, as with too many streams, is asked for now and then.
  source.addEventListener("error", () => {
    soon("*");
    poll();
  });
};

addEventListener("offline", () => {
  if (changes !== undefined && !over) standing("offline");
});
addEventListener("online", () => soon("*"));

// What runs for a while says nothing when it ends: it is asked for until then.
setInterval(() => {
  if (document.querySelector("[data-running]")) soon("*");
}, 3_000);

// A hidden tab holds no stream, since a browser has six connections to one host; what it missed it asks for at once.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && changes !== undefined) soon("*");
  start();
});
start();
