// What a sink did not take: why, and what to do about it.
import { ask, h, put, visible } from "./dom.js";
import { act, actionButton, get } from "./api.js";
import { changed, listen, state } from "./store.js";
import { count, fullTime, shortTime, t } from "./words.js";

export function show(main) {
  const load = async () => {
    state.letters = await get("letters").catch(() => state.letters);
    changed("letters");
  };
  if (state.letters) draw(main, load);
  else put(main, h("div", { class: "head" }, h("h1", {}, t("letters"))));
  load();
  const timer = setInterval(load, 2000);
  const stop = listen((what) => { if (state.letters && (what.has("letters") || what.has("me"))) draw(main, load); });
  return () => { clearInterval(timer); stop(); };
}

function draw(main, load) {
  const { letters, counts } = state.letters;
  const dead = letters.filter((one) => one.state === "dead" || one.state === "retrying");
  const waiting = letters.filter((one) => one.state === "waiting");
  const unreadable = letters.filter((one) => one.state === "unreadable");
  const nothing = !letters.length && h("div", { class: "card empty" }, h("strong", {}, t("none_left")), t("none_left_why"));
  const hint = !state.me.may_act && letters.length ? h("p", { class: "note" }, state.me.has_token ? t("locked") : t("no_token")) : null;
  put(main, h("div", { class: "head" }, h("h1", {}, t("letters"))),
    h("div", { class: "stack" }, hint, nothing,
      ...Object.entries(Object.groupBy ? Object.groupBy(dead, (one) => one.sink) : group(dead)).map(([sink, some]) => section(t("dead_title"), sink, some, counts.dead, load)),
      waiting.length ? section(t("waiting_title"), null, waiting, counts.waiting, load, t("waiting_why")) : null,
      unreadable.length ? section(t("unreadable_title"), "-", unreadable, counts.unreadable, load) : null));
}

function group(letters) {
  const found = {};
  for (const one of letters) (found[one.sink] ||= []).push(one);
  return found;
}

function section(title, sink, letters, all, load, why = "") {
  const waits = letters[0]?.state === "waiting" && [...new Set(letters.map((one) => one.sink))];
  const named = (what, one) => (waits.length > 1 ? `${what}: ${one}` : what);
  const buttons = waits ? h("div", { class: "buttons" }, waits.flatMap((one) => [
    actionButton(named(t("now_try"), one), "", () => act("hurry", { sink: one }, () => t("hurried")).then(load)),
    actionButton(named(t("discard_all"), one), "danger", () => discard({ sink: one }, title, "discard_waiting").then(load))]))
    : sink && letters.length > 1 ? h("div", { class: "buttons" },
    sink === "-" ? null : actionButton(t("retry_all"), "", () => retry({ sink }).then(load)),
    actionButton(t("discard_all"), "danger", () => discard({ sink }, title).then(load))) : null;
  return h("section", { class: "card" },
    h("div", { class: "section-head" }, h("h2", {}, title), sink && sink !== "-" ? h("span", { class: "pill" }, t("to_sink", sink)) : null, h("span", { class: "muted small" }, count(letters.length)), buttons),
    why ? h("p", { class: "muted small" }, why) : null,
    letters.length < all && letters.length >= 500 ? h("p", { class: "muted small" }, t("and_more", count(letters.length), count(all))) : null,
    h("ul", {}, letters.slice(0, 500).map((one) => row(one, load))));
}

function row(one, load) {
  const waits = one.state === "waiting";
  const ids = { sink: one.sink, ids: [waits ? one.seq : one.id] };
  return h("li", { class: "row" },
    h("div", {},
      one.text ? h("p", { class: "clip short", dir: "auto" }, visible(one.text)) : null,
      h("p", { class: "why" }, one.reason),
      h("p", { class: "meta" },
        one.state === "waiting" ? h("span", { class: "pill" }, t("to_sink", one.sink)) : null,
        one.state === "retrying" ? h("span", { class: "pill accent" }, t("retrying")) : null,
        h("span", {}, t("attempts", one.attempts)),
        one.at_ms ? h("time", { datetime: new Date(one.at_ms).toISOString(), title: fullTime(one.at_ms) }, t("since", shortTime(one.at_ms))) : null,
        one.next_ms ? h("span", {}, t("next_try", shortTime(one.next_ms))) : null,
        one.seq ? h("a", { href: `#/event/${one.seq}` }, `${t("event")} ${one.seq}`) : null,
        one.ticket ? h("a", { href: `#/tickets/${encodeURIComponent(one.ticket)}` }, t("ticket", one.ticket)) : null)),
    one.state === "retrying" ? null : h("div", { class: "buttons" },
      one.state === "dead" ? actionButton(t("retry"), "", () => retry(ids).then(load)) : null,
      actionButton(t("discard"), "danger", () => discard(ids, one.reason, waits ? "discard_waiting" : "discard").then(load))));
}

const retry = (body) => act("retry", body, (n) => t("retried", count(n)));

async function discard(body, what, how = "discard") {
  const sure = await ask(t("sure"), h("p", { class: "clip" }, t("sure_why", what)), t("discard"), t("cancel"), () => true, "danger");
  return sure ? act(how, body, (n) => t("discarded", count(n))) : 0;
}
