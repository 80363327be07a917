// Drawings, as SVG that scales with its card.
import { h, svg } from "./dom.js";
import { count, duration, hourTime, shortHour, t } from "./words.js";

// A telephone shows a narrower drawing, not a smaller one.
const small = matchMedia("(max-width: 760px)");
let W = 720;
export const SENDERS = ["guest", "agent", "bot", "unknown"];

// A round number at or above `most` for the top of an axis.
export function top(most) {
  if (most <= 4) return 4;
  const step = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 5, 8, 10].map((n) => n * step).find((n) => n >= most);
}

function frame(height, highest, label, ...inside) {
  const lines = [0, 0.5, 1].map((part) => {
    const y = height - 20 - part * (height - 32);
    return [svg("line", { class: "grid-line", x1: 34, x2: W, y1: y, y2: y }), svg("text", { x: 28, y: y + 4, "text-anchor": "end" }, count(highest * part))];
  });
  return svg("svg", { class: "chart", viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": label }, ...lines.flat(), ...inside);
}

export function area(values, label) {
  W = small.matches ? 400 : 720;
  const height = 150;
  const highest = top(Math.max(0, ...values));
  const x = (at) => 36 + (at / Math.max(1, values.length - 1)) * (W - 40);
  const y = (value) => height - 20 - (value / highest) * (height - 32);
  const points = values.map((value, at) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join(" L ");
  const marks = (small.matches ? [60, 30, 0] : [60, 45, 30, 15, 0]).map((back) => svg("text", { x: x(Math.max(0, values.length - 1 - back)), y: height - 3, "text-anchor": back === 60 ? "start" : back ? "middle" : "end" },
    back ? `−${duration(back * 60)}` : t("now")));
  return frame(height, highest, label,
    values.length ? svg("path", { class: "area", d: `M ${x(0)} ${y(0)} L ${points} L ${x(values.length - 1)} ${y(0)} Z` }) : null,
    values.length ? svg("path", { class: "line", d: `M ${points}` }) : null, ...marks);
}

// `hours`: [Unix ms, {sender: messages}] of consecutive hours.
export function stacked(hours, label) {
  W = small.matches ? 400 : 960;
  const height = small.matches ? 210 : 240;
  const sums = hours.map(([, counts]) => SENDERS.reduce((sum, one) => sum + (counts[one] || 0), 0));
  const highest = top(Math.max(0, ...sums));
  const step = (W - 38) / hours.length;
  const bars = hours.flatMap(([at, counts], n) => {
    let y = height - 20;
    return SENDERS.filter((one) => counts[one]).map((one) => {
      const tall = (counts[one] / highest) * (height - 32);
      y -= tall;
      return svg("rect", { class: `fill-${one}`, x: (37 + n * step + step * 0.12).toFixed(1), y: y.toFixed(1), width: Math.max(1, step * 0.76).toFixed(1), height: tall.toFixed(1), rx: Math.min(2, step / 5) },
        svg("title", {}, `${hourTime(at)}: ${t(one)} ${count(counts[one])}`));
    });
  });
  const every = Math.ceil(hours.length / (small.matches ? 3 : 8));
  const marks = hours.map(([at], n) => (n % every === 0 ? svg("text", { x: 37 + n * step, y: height - 3 }, hours.length > 30 ? hourTime(at) : shortHour(at)) : null));
  return frame(height, highest, label, ...bars, ...marks);
}

export function legend() {
  return h("ul", { class: "legend" }, SENDERS.slice(0, 3).map((one) => h("li", {},
    svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: `fill-${one}`, width: 10, height: 10, rx: 3 })), t(one))));
}

// `rows`: [label, value, shown].
export function bars(rows, fill = "accent") {
  const most = Math.max(1, ...rows.map(([, value]) => value));
  return h("div", { class: "bars" }, rows.flatMap(([label, value, shown]) => [
    h("span", {}, label),
    svg("svg", { viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: `fill-${fill}`, width: Math.max(value ? 1 : 0, (value / most) * 100), height: 12 })),
    h("span", { class: "num right" }, shown ?? count(value))]));
}
