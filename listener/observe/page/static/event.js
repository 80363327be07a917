// One event: its record, the raw payload, which sink got it, and handing it on again.
import { copy, h, toast, visible } from "./dom.js";
import { act, actionButton, get } from "./api.js";
import { changed, listen, state } from "./store.js";
import { count, fullTime, t } from "./words.js";
import { pill } from "./tickets.js";

export function show(main, [seq]) {
  let gone = false;
  let timer = 0;
  let found = null;
  const load = async () => {
    clearTimeout(timer);
    try { found = await get("event", { seq }); } catch (e) {
      if (!gone) main.replaceChildren(h("div", { class: "card empty" }, h("h1", {}, t("event")), e.status === 404 ? t("event_gone") : e.message));
      return;
    }
    if (gone) return;
    changed("event");
    timer = setTimeout(load, 2000);
  };
  load();
  const stop = listen((what) => {
    if (!found || !(what.has("event") || what.has("me"))) return;
    const next = JSON.stringify([found, state.me]);
    if (next !== load.last) { load.last = next; draw(main, found, load); }
  });
  return () => { gone = true; clearTimeout(timer); stop(); };
}

function draw(main, found, load) {
  const one = found.summary;
  const record = found.record ? JSON.stringify(found.record, null, 2) : "";
  main.replaceChildren(
    h("div", { class: "head" }, h("h1", {}, `${t("event")} ${one.seq}`), one.status ? pill(one.status) : null,
      one.ticket ? h("a", { href: `#/tickets/${encodeURIComponent(one.ticket)}` }, t("ticket", one.ticket)) : null),
    h("div", { class: "grid" },
      h("section", { class: "card half" }, h("h2", {}, one.sender ? t(one.sender) : t("event")),
        h("p", { class: "clip", dir: "auto" }, visible(one.text || one.problem || one.kind || one.type)),
        one.more ? h("p", { class: "muted small" }, `… ${t("more_text", count(one.more))}`) : null,
        h("details", {}, h("summary", {}, t("event_id")), facts(one))),
      h("section", { class: "card half" }, h("h2", {}, t("which_sinks")), h("ul", {}, found.sinks.map((sink) => line(sink, one, load)))),
      found.problem ? h("p", { class: "note bad wide" }, found.problem) : null,
      record ? block(t("record"), record, found.record) : null,
      found.raw ? block(t("raw"), JSON.stringify(found.raw, null, 2), null) : null));
}

function facts(one) {
  const rows = [[t("event_id"), one.event_id], [t("type"), one.type], [t("received"), fullTime(one.at)], one.created && [t("created"), fullTime(one.created)], one.who && ["open_id", one.who]];
  return h("dl", { class: "facts" }, rows.filter(Boolean).flatMap(([name, value]) => [h("dt", {}, name), h("dd", { class: "mono" }, value)]));
}

function line(sink, one, load) {
  const words = {
    delivered: () => ["ok", t("got_at", fullTime(sink.at))], passed: () => ["", t("passed")], pending: () => ["accent", t("pending")],
    waiting: () => ["warn", t("waits", fullTime(sink.next))], dead: () => ["bad", t("is_dead")], retrying: () => ["accent", t("retrying")],
  }[sink.state]();
  const again = () => act(sink.state === "dead" ? "retry" : "replay", sink.state === "dead" ? { sink: sink.name, ids: [sink.id] } : { sink: sink.name, seq: one.seq }, () => t("handed", sink.name)).then(load);
  return h("li", { class: "row" },
    h("div", {}, h("strong", {}, sink.name), " ", h("span", { class: "muted small" }, sink.type), " ", h("span", { class: `pill ${words[0]}` }, words[1]),
      sink.attempts ? h("span", { class: "muted small" }, ` ${t("attempts", sink.attempts)}`) : null,
      sink.reason ? h("p", { class: "why small muted" }, sink.reason) : null),
    ["delivered", "passed", "dead"].includes(sink.state) ? actionButton(t("hand_on"), "", again) : null);
}

function block(title, text, record) {
  const buttons = [h("button", { type: "button", onclick: () => copy(text).then(() => toast(t("copied"))) }, t("copy_json"))];
  if (record) buttons.push(h("button", { type: "button", onclick: () => copy(curl(record)).then(() => toast(t("copied"))) }, t("copy_curl")));
  return h("section", { class: "card wide" }, h("div", { class: "section-head" }, h("h2", {}, title), h("div", { class: "buttons" }, buttons)),
    h("pre", { tabindex: "0", "aria-label": title }, ...coloured(text)));
}

// In single quotes the shell changes nothing, and a quote ends them, is quoted itself, and begins them again.
export function curl(record) {
  const body = JSON.stringify(record).replace(/'/g, "'\\''");
  return `curl -X POST http://127.0.0.1:3000/hook -H 'Content-Type: application/json' --data-raw '${body}'`;
}

const LONGEST = 200000;  // characters that are coloured
function coloured(text) {
  if (text.length > LONGEST) return [visible(text)];
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*/g)) {
    if (found.index > at) parts.push(text.slice(at, found.index));
    const kind = found[2] ? "json-key" : found[1] ? "json-string" : "json-other";
    parts.push(h("span", { class: kind }, visible(found[1] || found[0])));
    if (found[2]) parts.push(found[2]);
    at = found.index + found[0].length;
  }
  return [...parts, text.slice(at)];
}
