// Now: is it alive, what comes in, what is stuck. The same facts as `helpdesk-listen status`.
import { h, put, svg } from "./dom.js";
import { listen, state } from "./store.js";
import { ago, count, duration, fullTime, lang, problem, size, t } from "./words.js";
import { area } from "./charts.js";

export function show(main) {
  const update = () => draw(main);
  update();
  return listen((what) => { if (["now", "pace", "link"].some((one) => what.has(one))) update(); });
}

function draw(main) {
  const now = state.now;
  put(main, verdict(now), notes(now), h("div", { class: "grid" }, ...cards(now)));
}

function verdict(now) {
  const down = state.link === "lost";
  const kind = down ? "bad" : !now ? "" : !now.ready ? "bad" : now.problems.length ? "warn" : "ok";
  const words = down ? t("unreachable") : !now ? t("connecting") : !now.ready ? t("not_ready") : now.problems.length ? t("degraded") : t("listening");
  return h("div", { class: "head" },
    h("div", { class: "verdict" }, h("span", { class: `beacon ${kind}` }), h("div", {}, h("h1", {}, words), h("p", { class: "muted" }, ...line(now)))));
}

function line(now) {
  if (!now) return ["\u00a0"];
  const c = now.connection;
  const parts = [c.phase === "connected" ? t("connected_for", duration((Date.now() - Date.parse(c.connected_since)) / 1000)) : t("not_connected")];
  if (c.phase !== "connected" && c.next_attempt_at) parts.push(t("next_try", fullTime(Date.parse(c.next_attempt_at))));
  if (c.round_trip_seconds !== null && c.phase === "connected") parts.push(t("ping", duration(c.round_trip_seconds)));
  const last = now.journal.last_event_at && Date.parse(now.journal.last_event_at);
  const [before, after] = t("last_event", "|").split("|");
  return [parts.join(" · "), " · ", ...(last ? [before, timeAgo(last), after] : [t("no_event")])];
}

const timeAgo = (ms) => h("time", { "data-ago": ms, datetime: new Date(ms).toISOString(), title: fullTime(ms) }, ago(ms));

function notes(now) {
  if (!now?.problems.length) return null;
  const kind = now.ready ? "note" : "note bad";
  return h("ul", { class: "notes" }, now.problems.map((one) => h("li", { class: kind }, /dead letters|another attempt/.test(one) ? h("a", { href: "#/letters" }, problem(one)) : problem(one))));
}

function cards(now) {
  if (!now) return [];
  return [today(), minutes(), connection(now), journal(now), sinks(now)];
}

function today() {
  const pace = state.pace;
  const usual = pace?.before.length ? pace.before.reduce((a, b) => a + b, 0) / pace.before.length : null;
  return h("section", { class: "card today" }, h("h2", {}, t("today")),
    h("p", { class: "big" }, pace ? count(pace.today) : "–"),
    h("p", { class: "muted" }, t("messages")),
    h("p", { class: "small muted" }, usual === null ? t("no_days") : [t("usual", count(Math.round(usual))), usual ? ` · ${difference(pace.today, usual)}` : ""]),
    usual === null ? null : h("div", { class: "days" }, days([...pace.before].reverse(), pace.today)));
}

function days(before, today) {
  const all = [...before, today];
  const most = Math.max(1, ...all);
  return svg("svg", { viewBox: `0 0 ${all.length * 10} 54`, preserveAspectRatio: "none", role: "img", "aria-label": t("days_before", all.map(count).join(", ")) },
    all.map((n, at) => svg("rect", { class: at < before.length ? "fill-before" : "fill-accent", x: at * 10 + 1, width: 8, height: Math.max(1, (n / most) * 54), y: 54 - Math.max(1, (n / most) * 54) })));
}

function difference(today, usual) {
  return new Intl.NumberFormat(lang, { style: "percent", signDisplay: "exceptZero", maximumFractionDigits: 0 }).format(today / usual - 1);
}

function minutes() {
  const values = state.pace?.minutes || [];
  const most = Math.max(0, ...values);
  return h("section", { class: "card two" }, h("h2", {}, `${t("per_minute")} · ${t("last_hour")}`),
    area(values, `${t("per_minute")}, ${t("last_hour")}: ${t("at_most", count(most))}`));
}

const facts = (rows) => h("dl", { class: "facts" }, rows.filter(Boolean).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

function connection(now) {
  const { connection: c, events, clients } = now;
  const again = Object.entries(events.acks).reduce((sum, [code, n]) => sum + (code === "200" ? 0 : n), 0);
  const losses = Object.entries(c.losses).map(([cause, n]) => `${cause} ${n}`).join(", ");
  return h("section", { class: "card half" }, h("h2", {}, t("connection")), facts([
    [t("acks"), `${count(events.acks["200"] || 0)} / ${count(again)}`],
    events.ack_p99_seconds !== null && [t("ack_time"), duration(events.ack_p99_seconds)],
    [t("duplicates"), count(events.duplicates)],
    [t("connections"), `${count(c.connections)} / ${count(c.renewals)}`],
    [t("losses"), losses || "0"],
    [t("clients"), clients ? t("clients_of", clients.online, clients.expected) : t("not_known")],
  ]));
}

function journal(now) {
  const j = now.journal;
  const share = j.max_bytes ? j.used_bytes / j.max_bytes : 0;
  const good = j.answers && !j.failing && !j.full;
  return h("section", { class: "card half" }, h("h2", {}, t("journal")),
    svg("svg", { class: `meter ${share > 0.95 ? "bad" : share > 0.8 ? "warn" : ""}`, viewBox: "0 0 100 7", preserveAspectRatio: "none", role: "img", "aria-label": `${t("used")} ${Math.round(share * 100)}%` },
      svg("rect", { width: Math.max(share * 100, j.used_bytes ? 0.6 : 0), height: 7 })),
    facts([
      [t("used"), t("of", size(j.used_bytes), size(j.max_bytes))],
      j.disk_free_bytes !== null && [t("disk_free"), size(j.disk_free_bytes)],
      [t("journal_state"), h("span", { class: `pill ${good ? "ok" : "bad"}` }, good ? t("writable") : t("not_writable"))],
      [t("waiting_commit"), count(j.waiting)],
    ]));
}

export function sinkState(one) {
  if (one.state === "died") return ["bad", t("died")];
  if (one.state === "closed") return ["warn", t("closed")];
  if (one.paused) return ["bad", t("paused")];
  if (one.failing_seconds !== null) return ["bad", t("failing")];
  return one.lag ? ["warn", t("behind")] : ["ok", t("up_to_date")];
}

function sinks(now) {
  return h("section", { class: "card wide" }, h("h2", {}, t("sinks")), h("ul", { class: "sinks" }, now.sinks.map(sink)));
}

function sink(one) {
  const [kind, words] = sinkState(one);
  const cell = (name, value) => h("div", { class: "num" }, h("span", { class: "label" }, name), count(value));
  const why = one.paused || (one.failing_seconds !== null && one.last_error);
  return h("li", { class: "sink" },
    h("div", {}, h("strong", {}, one.name), " ", h("span", { class: "muted small" }, one.type), " ", h("span", { class: `pill ${kind}` }, words),
      one.waiting ? h("span", { class: "pill warn" }, t("to_retry", count(one.waiting))) : null),
    cell(t("lag"), one.lag), cell(t("delivered"), one.delivered), cell(t("retries"), one.retries), cell(t("dead"), one.dead_letters),
    why ? h("p", { class: "why" }, why) : null);
}
