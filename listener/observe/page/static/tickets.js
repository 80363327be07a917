// Conversations: tickets like a chat, live; search; older messages as one scrolls.
import { $, h, icon, put, visible } from "./dom.js";
import { get } from "./api.js";
import { NO_TICKET, listen, ordered, state, take } from "./store.js";
import { count, fullTime, shortTime, status, t } from "./words.js";

const LISTED = 80;  // tickets of the list; search finds the others
let view = null;

export function show(main, [id]) {
  view = { id: null, rows: new Map(), search: null, asked: 0 };
  const search = h("input", { id: "search", type: "search", placeholder: t("search"), "aria-label": t("search"), autocomplete: "off", spellcheck: "false", oninput: later(() => find(search.value.trim())) });
  main.append(
    h("div", { class: "head" }, h("h1", {}, t("tickets")), h("div", { class: "searching", role: "search" }, search)),
    h("div", { id: "found", class: "found", hidden: true, "aria-live": "polite" }),
    h("div", { id: "talks", class: "talks" },
      h("section", { class: "card pane list", "aria-label": t("all_tickets") }, h("div", { id: "list", class: "tickets", onkeydown: arrows })),
      h("section", { id: "talk", class: "card pane talk", "aria-label": t("tickets") })));
  go([id]);
  list();
  return listen((what) => { if (what.has("tickets")) { list(); talk(); } });
}

export function go([id]) {
  view.id = id || null;
  view.stuck = true;
  view.messages = new Map();
  $("talks").classList.toggle("open", Boolean(id));
  openTalk();
  talk();
  list();
  return true;
}

// The list: a row a ticket, kept as long as it says the same.
function list() {
  const tickets = ordered().slice(0, LISTED);
  if (!tickets.length) return put($("list"), h("div", { class: "empty" }, h("strong", {}, t("no_tickets")), t("no_tickets_why")));
  put($("list"), tickets.map((ticket) => {
    const here = ticket.id === view.id;
    if (here) ticket.fresh = 0;
    const mark = `${ticket.last.seq} ${here} ${ticket.fresh}`;
    const known = view.rows.get(ticket.id);
    if (known?.mark === mark) return known.row;
    const made = row(ticket, here);
    if (known) { known.row.replaceChildren(...made.childNodes); here ? known.row.setAttribute("aria-current", "true") : known.row.removeAttribute("aria-current"); known.mark = mark; return known.row; }
    view.rows.set(ticket.id, { row: made, mark });
    return made;
  }));
}

function row(ticket, here) {
  const last = ticket.last;
  return h("a", { class: "ticket", href: `#/tickets/${encodeURIComponent(ticket.id)}`, "aria-current": here ? "true" : null },
    h("span", { class: "id" }, name(ticket.id)), h("time", { datetime: new Date(last.at).toISOString() }, shortTime(last.at)),
    h("bdi", { class: "words" }, `${last.sender ? `${t(last.sender)}: ` : ""}${visible(words(last)).slice(0, 160)}`),
    ticket.fresh ? h("span", { class: "new" }, ticket.fresh > 99 ? "99+" : String(ticket.fresh)) : h("span"),
    ticket.status ? h("span", { class: "status" }, pill(ticket.status)) : null);
}

const name = (id) => (id === NO_TICKET ? t("no_ticket") : id);
const words = (one) => one.problem ? t("unreadable_event", one.problem) : one.text || (one.kind ? `[${one.kind}]` : one.type);

export function pill(code) {
  const kind = { created: "accent", processing: "ok", queued: "warn", pending: "warn" }[code] || "";
  return h("span", { class: `pill ${kind}` }, status(code));
}

function arrows(e) {
  if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
  const rows = [...$("list").querySelectorAll("a")];
  const next = rows[rows.indexOf(document.activeElement) + (e.key === "ArrowDown" ? 1 : -1)];
  if (next) { e.preventDefault(); next.focus(); }
}

// The conversation of the chosen ticket.
function openTalk() {
  if (!view.id) return put($("talk"), h("div", { class: "empty" }, h("strong", {}, t("choose")), t("choose_why")));
  $("talk").replaceChildren(
    h("div", { class: "pane-head" }, h("a", { class: "back", href: "#/tickets", "aria-label": t("back") }, "←"), h("h2", {}, view.id === NO_TICKET ? t("no_ticket") : t("ticket", view.id)), h("span", { id: "talk-status" })),
    h("div", { id: "chat", class: "chat", role: "log", tabindex: "0", "aria-label": t("ticket", view.id), onscroll: scrolled },
      h("div", { id: "older", class: "turn" })));
  const ticket = state.tickets.get(view.id);
  if (!ticket || !ticket.complete) older();
}

function talk() {
  const ticket = view.id && state.tickets.get(view.id);
  if (!ticket) return;
  put($("talk-status"), ticket.status ? pill(ticket.status) : null);
  const chat = $("chat");
  const tall = chat.scrollHeight - chat.scrollTop;
  const wanted = [$("older")];
  let before = "";
  for (const one of ticket.messages) {
    if (one.status && one.status !== before) wanted.push(cached(`s${one.seq}`, () => h("div", { class: "turn" }, t("status_now", ""), pill(one.status))));
    before = one.status || before;
    wanted.push(cached(one.seq, () => message(one)));
  }
  put(chat, wanted);
  for (const key of view.messages.keys()) if (!view.messages.get(key).isConnected) view.messages.delete(key);
  chat.scrollTop = view.stuck ? chat.scrollHeight : chat.scrollHeight - tall;
}

function cached(key, make) {
  if (!view.messages.has(key)) view.messages.set(key, make());
  return view.messages.get(key);
}

export function message(one) {
  const sender = ["guest", "agent", "bot"].includes(one.sender) ? one.sender : "unknown";
  const who = one.sender ? t(sender) : t("system");
  const by = one.sender === "agent" && one.agent ? `${who} ${one.agent}` : who;
  return h("article", { class: `said ${sender}` },
    h("span", { class: "face", "aria-hidden": "true" }, [...who][0]),
    h("p", { class: "who" }, h("bdi", {}, visible(by)), " · ", h("a", { href: `#/event/${one.seq}` }, h("time", { datetime: new Date(one.at).toISOString(), title: `${fullTime(one.at)}${one.who ? ` · ${one.who}` : ""}` }, shortTime(one.created || one.at)))),
    h("div", { class: "bubble", dir: "auto" }, visible(one.pictures ? words(one).replaceAll("[image]", "").trim() : words(one)), ...pictures(one),
      one.more ? h("a", { class: "more", href: `#/event/${one.seq}` }, `… ${t("more_text", count(one.more))}`) : null));
}

function pictures(one) {
  return (one.pictures || []).map((key, index) => {
    const place = h("span", { class: "picture", title: key || null }, icon("picture"), h("span", {}, t("image")));
    if (state.me.has_images) thumbnail(place, one, index);
    return place;
  });
}

// A kept image takes the place's place; one of a minute ago may still be on its way.
function thumbnail(place, one, index, tries = 0) {
  const source = `/api/image?seq=${one.seq}&index=${index}${tries ? `&try=${tries}` : ""}`;
  const image = h("img", { class: "thumbnail", alt: "", loading: "lazy", decoding: "async", src: source });
  image.onload = () => { image.alt = t("image"); place.replaceWith(h("a", { href: source, target: "_blank", rel: "noopener" }, image)); };
  image.onerror = () => {
    image.remove();
    if (tries < 5 && Date.now() - one.at < 60000) setTimeout(() => thumbnail(place, one, index, tries + 1), 2000);
  };
  place.append(image);
}

function scrolled() {
  const chat = $("chat");
  view.stuck = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 60;
  const ticket = state.tickets.get(view.id);
  if (chat.scrollTop < 80 && ticket && !ticket.complete && !view.stuck) older();
}

// Asks for what was before; the journal is searched backwards, a stretch at a time.
async function older() {
  const id = view.id;
  if (view.asking === id || id === NO_TICKET) return;
  view.asking = id;
  put($("older"), t("loading"));
  const ticket = state.tickets.get(id);
  let before = ticket ? Math.min(ticket.before ?? Infinity, ticket.messages[0].seq) : "";
  for (let tries = 0; tries < 12 && view?.id === id; tries += 1) {
    const found = await get("messages", { before, ticket: id, limit: 50 }).catch(() => null);
    if (!found || view?.id !== id) break;
    const taken = take(found.events, false);
    before = found.next;
    const known = state.tickets.get(id);
    if (known) { known.before = before; known.complete = before === null; }
    if (before === null || taken) break;
  }
  view.asking = null;
  if (view.id === id && $("older")) put($("older"), before === null ? t("begin") : h("button", { type: "button", onclick: older }, t("older")));
}

function later(run) {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(run, 250); };
}

// Search, over all that the journal keeps.
async function find(wanted) {
  const asked = ++view.asked;
  $("found").hidden = !wanted;
  $("talks").hidden = Boolean(wanted);
  if (!wanted) return;
  const results = [];
  let before = "";
  const draw = (more) => put($("found"), ...results.map(result), more);
  draw(h("p", { class: "muted" }, t("searching")));
  const look = async () => {
    do {
      const found = await get("messages", { before, words: wanted, limit: 50 }).catch(() => ({ events: [], next: null }));
      if (asked !== view.asked) return;
      results.push(...found.events);
      before = found.next;
      draw(before === null ? null : h("p", { class: "muted" }, t("searching")));
    } while (before !== null && results.length % 50 !== 0 || (before !== null && results.length === 0));
    if (before !== null) draw(h("button", { type: "button", onclick: look }, t("go_on")));
    else if (!results.length) draw(h("div", { class: "card empty" }, h("strong", {}, t("nothing")), t("nothing_why")));
  };
  await look();
}

function result(one) {
  return h("article", { class: "card" },
    h("p", { class: "small muted" }, one.sender ? `${t(one.sender)} · ` : "", h("a", { href: `#/event/${one.seq}` }, shortTime(one.at)), " · ",
      one.ticket ? h("a", { href: `#/tickets/${encodeURIComponent(one.ticket)}` }, t("ticket", one.ticket)) : t("no_ticket")),
    h("p", { class: "clip short", dir: "auto" }, visible(words(one))));
}
