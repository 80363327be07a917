// Numbers of the journal's days.
import { h, put } from "./dom.js";
import { get } from "./api.js";
import { SENDERS, bars, legend, stacked } from "./charts.js";
import { count, duration, hourTime, shortTime, status, t } from "./words.js";

const HOUR = 3600000;
const STEPS = [60, 300, 900, 3600, 14400, Infinity];  // seconds

export function show(main) {
  let gone = false;
  let timer = 0;
  put(main, h("div", { class: "head" }, h("h1", {}, t("numbers"))), h("p", { class: "muted" }, t("loading")));
  const load = async () => {
    const found = await get("numbers").catch(() => null);
    if (gone) return;
    if (found) draw(main, found);
    timer = setTimeout(load, found && !found.complete && !found.cut ? 300 : 10000);
  };
  load();
  return () => { gone = true; clearTimeout(timer); };
}

function draw(main, found) {
  const said = found.since === null ? "" : t("counted", count(found.events), shortTime(found.since));
  put(main, h("div", { class: "head" }, h("h1", {}, t("numbers")), h("p", { class: "muted" }, said, found.complete || found.cut ? "" : ` · ${t("partly")}`)),
    found.events ? h("div", { class: "grid" }, hours(found), statuses(found), responses(found))
      : h("div", { class: "card empty" }, h("strong", {}, t("no_numbers")), t("no_tickets_why")));
}

// Hours without a message are hours too; at most two days of them are drawn.
function spread(known) {
  if (!known.length) return [];
  const counts = new Map(known);
  const last = known[known.length - 1][0];
  const first = Math.max(known[0][0], last - 47 * HOUR);
  const from = Math.min(first, last - 23 * HOUR);
  return Array.from({ length: (last - from) / HOUR + 1 }, (_, n) => [from + n * HOUR, counts.get(from + n * HOUR) || {}]);
}

function hours(found) {
  const shown = spread(found.hours);
  return h("section", { class: "card wide" }, h("h2", {}, t("by_hour")), stacked(shown, t("by_hour")), legend(),
    h("details", {}, h("summary", {}, t("table")), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("table") }, h("table", {},
      h("thead", {}, h("tr", {}, [t("hour"), ...SENDERS.slice(0, 3).map((one) => t(one))].map((one) => h("th", { scope: "col" }, one)))),
      h("tbody", {}, shown.filter(([, counts]) => Object.keys(counts).length).reverse().map(([at, counts]) => h("tr", {}, h("th", { scope: "row" }, hourTime(at)),
        SENDERS.slice(0, 3).map((one) => h("td", { class: "num" }, count(counts[one] || 0))))))))));
}

function statuses(found) {
  const rows = Object.entries(found.statuses).sort(([, a], [, b]) => b - a).map(([name, n]) => [status(name), n]);
  return h("section", { class: "card half" }, h("h2", {}, t("by_status")), bars(rows));
}

function responses(found) {
  const all = found.responses;
  if (!all.length) return h("section", { class: "card half" }, h("h2", {}, t("response")), h("p", { class: "muted" }, t("no_response")));
  const at = (part) => all[Math.min(all.length - 1, Math.floor(all.length * part))];
  const rows = STEPS.map((step, n) => {
    const from = n ? STEPS[n - 1] : 0;
    return [step === Infinity ? `> ${duration(from)}` : `≤ ${duration(step)}`, all.filter((one) => one <= step && (n === 0 || one > from)).length];
  });
  return h("section", { class: "card half" }, h("h2", {}, t("response")),
    h("dl", { class: "facts" }, h("dt", {}, t("median")), h("dd", {}, duration(at(0.5))), h("dt", {}, t("p90")), h("dd", {}, duration(at(0.9))), h("dt", {}, t("within")), h("dd", {}, count(all.length))),
    h("p", {}, "\u00a0"), bars(rows, "agent"));
}
