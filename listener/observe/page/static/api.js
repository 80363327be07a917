// Questions to the daemon, and its answers; the login.
import { state, changed } from "./store.js";
import { t } from "./words.js";
import { ask, h, toast } from "./dom.js";

export class Refused extends Error {
  constructor(status, text) { super(text.trim()); this.status = status; }
}

async function answer(response) {
  if (response.ok) return response.json();
  const refused = new Refused(response.status, await response.text());
  if (refused.status === 401) { state.me.may_act = false; changed("me"); }
  throw refused;
}

export async function get(name, query = {}) {
  return answer(await fetch(`/api/${name}?${new URLSearchParams(query)}`, { cache: "no-store" }));
}

export async function post(name, body = {}) {
  return answer(await fetch(`/api/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));
}

// Says who we are. Beyond the daemon's machine that takes the token.
export async function meet() {
  try {
    state.me = await get("me");
    state.locked_out = false;
  } catch (e) {
    if (!(e instanceof Refused)) throw e;
    state.locked_out = e.status === 401;
    state.me = { may_act: false, has_token: e.status === 401, has_images: false };
  }
  changed("me");
}

export async function unlock(given = "") {
  const token = given || await askForToken();
  if (!token) return false;
  try {
    await post("login", { token });
  } catch (e) {
    toast(e.status === 403 ? t("wrong_token") : e.message);
    return false;
  }
  await meet();
  return state.me.may_act;
}

function askForToken() {
  const input = h("input", { id: "token", type: "password", autocomplete: "current-password", required: true });
  const body = h("div", {}, h("p", { class: "muted small" }, t("unlock_why")), h("label", { for: "token" }, t("token")), input);
  return ask(t("unlock_title"), body, t("ok"), t("cancel"), () => input.value);
}

export async function lock() {
  await post("logout").catch(() => null);
  await meet();
}

// Does something that changes something, and says how it went.
export async function act(name, body, said) {
  try {
    const { done } = await post(name, body);
    toast(said(done));
    return done;
  } catch (e) {
    toast(e.status === 401 ? t("locked") : e.message);
    return 0;
  }
}

export function actionButton(label, kind, run) {
  const reason = state.me.may_act ? "" : state.me.has_token ? t("locked") : t("no_token");
  return h("button", { type: "button", class: kind, disabled: !state.me.may_act, title: reason || null, onclick: async (e) => {
    e.currentTarget.disabled = true;
    const button = e.currentTarget;
    try { await run(); } finally { button.disabled = !state.me.may_act; }
  } }, label);
}
