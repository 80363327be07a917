// The page: which view is shown, what is on the rail, and where the news goes.
import { $, h, icon, put } from "./dom.js";
import { get, lock, meet, unlock } from "./api.js";
import { changed, listen, state, take, count as bump } from "./store.js";
import { connect } from "./stream.js";
import { ago, lang, t } from "./words.js";
import * as now from "./now.js";
import * as tickets from "./tickets.js";
import * as event from "./event.js";
import * as letters from "./letters.js";
import * as numbers from "./numbers.js";

const VIEWS = { now, tickets, event, letters, numbers };
const NAV = ["now", "tickets", "letters", "numbers"];
const links = new Map(NAV.map((name) => [name, h("a", { href: `#/${name}` }, icon(name), h("span", {}, t(name)))]));
const badge = h("span", { class: "badge", hidden: true });
let shown = null;

function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  return { name: VIEWS[name] ? name : "now", rest: rest.map(decodeURIComponent) };
}

function show(first) {
  const { name, rest } = route();
  const view = VIEWS[name];
  if (shown?.view === view && view.go?.(rest)) return rail();
  shown?.leave?.();
  $("main").replaceChildren();
  shown = { view, leave: view.show($("main"), rest) };
  document.title = `${t(name)} · helpdesk-listen`;
  rail();
  if (!first) { $("main").focus({ preventScroll: true }); scrollTo(0, 0); }
}

function rail() {
  const here = route().name === "event" ? "tickets" : route().name;
  const dead = (state.now?.sinks || []).reduce((sum, one) => sum + one.dead_letters + one.waiting, 0) + (state.now?.journal?.unreadable || 0);
  for (const [name, link] of links) {
    if (name === here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  badge.hidden = !dead;
  badge.textContent = dead > 999 ? "999+" : String(dead);
  const kind = state.link !== "open" ? "bad" : !state.now ? "" : !state.now.ready ? "bad" : state.now.problems.length ? "warn" : "ok";
  const said = state.link === "open" ? t("live") : state.link === "lost" ? t("lost") : t("connecting");
  put($("link"), h("span", { class: `dot ${kind}` }), h("span", {}, said));
  $("key").hidden = !state.me.has_token;
  $("key").textContent = state.me.may_act ? t("lock") : t("unlock");
  $("version").textContent = state.now?.version || "";
}

function tell([kind, text]) {
  if (kind === "open" || kind === "lost") {
    const back = kind === "open" && state.link === "lost";
    state.link = kind;
    changed("link");
    if (kind === "open") older();  // what came after the list was read and before the stream began is in neither
    if (back) { meet(); pace(); }
  } else if (kind === "now") {
    state.now = JSON.parse(text);
    changed("now");
  } else {
    news(JSON.parse(text));
  }
}

function news({ events, skipped, last }) {
  if (last < state.last) { state.tickets.clear(); older(); }  // another journal
  state.last = last;
  take(events, true);
  if (skipped && state.pace) bump(state.pace, Date.now(), skipped);
  if (skipped) again();
}

// More came at once than is sent: once it is calm, the newest are read anew, so that no conversation has a hole.
let calm = 0;
function again() {
  clearTimeout(calm);
  calm = setTimeout(() => { state.tickets.clear(); older(); }, 2000);
}

async function pace() {
  const offset = -new Date().getTimezoneOffset();
  state.pace = await get("pace", { offset }).catch(() => state.pace);
  changed("pace");
}

async function older() {
  const { events } = await get("messages", { limit: 100 }).catch(() => ({ events: [] }));
  take(events, false);
}

function tick() {
  for (const one of document.querySelectorAll("time[data-ago]")) {
    const said = ago(Number(one.dataset.ago));
    if (one.textContent !== said) one.textContent = said;
  }
}

async function start() {
  document.documentElement.lang = lang;
  for (const one of document.querySelectorAll("[data-t]")) one.textContent = t(one.dataset.t);
  $("nav").setAttribute("aria-label", t("nav"));
  links.get("letters").append(badge);
  $("nav").append(h("ul", {}, [...links.values()].map((link) => h("li", {}, link))));
  const token = location.hash.match(/^#token=(.+)$/)?.[1];
  if (token) history.replaceState(null, "", location.pathname);
  $("key").onclick = () => (state.me.may_act ? lock() : unlock());
  listen((what) => { if (what.has("now") || what.has("link") || what.has("me")) rail(); });
  addEventListener("hashchange", () => show(false));
  addEventListener("keydown", (e) => {
    if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && !/^(INPUT|TEXTAREA)$/.test(e.target.tagName) && $("search")) { e.preventDefault(); $("search").focus(); }
  });
  show(true);
  await meet();
  if (token) await unlock(decodeURIComponent(token));
  while (state.locked_out) await unlock();
  connect(tell);
  older();
  pace();
  setInterval(pace, 30000);
  setInterval(tick, 1000);
}

start();
