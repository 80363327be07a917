// Elements, made of data: text only ever becomes a text node, so that what a guest wrote is never markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export const $ = (id) => document.getElementById(id);

// Replaces what changed and keeps the rest, so that focus and selection survive an update.
export function put(parent, ...children) {
  const wanted = children.flat().filter(Boolean).map((one) => (typeof one === "string" ? document.createTextNode(one) : one));
  const kept = new Set(wanted);
  wanted.forEach((child, at) => {
    const there = parent.childNodes[at];
    if (there === child) return;
    if (!there || kept.has(there)) parent.insertBefore(child, there || null);
    else if (child.parentNode === parent || !there.isEqualNode(child)) there.replaceWith(child);
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
}

// Text of a stranger's: controls become pictures of themselves, and what would turn text around is named.
export function visible(text) {
  return text
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(/[\u0080-\u009f\u061c\u202a-\u202e\u2066-\u2069]/g, (c) => `\u27e8U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
}

const PATHS = {
  now: "M3 12h4l3-8 4 16 3-8h4",
  tickets: "M4 5.500h16v11H9l-5 4z",
  letters: "M12 8v5m0 3.500v.1M10.300 3.900 2.600 17.500A2 2 0 0 0 4.300 20.500h15.400a2 2 0 0 0 1.700-3L13.700 3.900a2 2 0 0 0-3.400 0z",
  numbers: "M5 20V11m7 9V4m7 16v-6",
  picture: "M4 5h16v14H4zM4 16l4.500-4.500 4 4 3-3L20 17M15.500 9h.1",
};

export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, svg("path", { d: PATHS[name] }));
}

let hiding = 0;
export function toast(text) {
  $("toast").textContent = text;
  $("toast").classList.add("on");
  clearTimeout(hiding);
  hiding = setTimeout(() => $("toast").classList.remove("on"), 4000);
}

// A question in a dialog; resolves to the value that `read` gives, or null where it was dismissed.
export function ask(title, body, yes, no, read = () => true, kind = "primary") {
  const dialog = $("dialog");
  return new Promise((resolve) => {
    let answer = null;
    const form = h("form", { method: "dialog", onsubmit: (e) => { e.preventDefault(); answer = read(); dialog.close(); } },
      h("h2", { id: "dialog-title" }, title), body,
      h("div", { class: "buttons" },
        h("button", { type: "button", onclick: () => dialog.close() }, no),
        h("button", { type: "submit", class: kind }, yes)));
    dialog.replaceChildren(form);
    dialog.onclose = () => resolve(answer);
    dialog.showModal();
  });
}

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
